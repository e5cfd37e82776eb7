/**
 * Asks ONE-PEACE Server about a picture: `node build/example.js http://localhost:8000 ../../examples/cow.jpg cow`.
 *
 * `onepeace.d.ts` holds the types of every path, `openapi-fetch` ties them to `fetch`.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./onepeace.d.ts";

type Problem = components["schemas"]["Problem"];
type Note = components["schemas"]["EmbedDatum"]["input"];
type Json = "application/json" | "application/problem+json"; // leaves out the .npy and Arrow that `Accept` can ask for

const ATTEMPTS = 3;

/** The service did not answer the question; `problem.code` says why. */
class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail);
  }
}

/** The answer to `call`, which is made again where the service says by `Retry-After` when: it is busy or starting. */
async function answerOf<Answer>(
  call: () => Promise<{ data?: Answer; error?: Problem; response: Response }>,
): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const { data, error, response } = await call();
    if (data !== undefined) return data;
    if (error?.code === undefined) throw new Error(`${response.url}: status ${response.status}, from a proxy?`);
    const waitS = response.headers.get("Retry-After");
    if (waitS === null || attempt === ATTEMPTS) throw new Refused(error);
    console.error(`${error.detail}: again in ${waitS} s`);
    await sleep(1000 * Number(waitS));
  }
}

/** What a user can do about a problem. */
function explain(problem: Problem): string {
  switch (problem.code) {
    case "model_not_served":
      return `this service can't do that: ${problem.detail}`;
    case "unreadable_image":
    case "image_too_large":
      return `choose another picture: ${problem.errors.map((entry) => entry.detail).join("; ")}`;
    case "queue_full": // here the compiler knows that problem.status is 429
      return "the service is busy, come again later";
    default:
      return `${problem.status} ${problem.code}: ${problem.detail} (request ${problem.request_id})`;
  }
}

/** What was done to an item. */
function describe(note: Note): string {
  if ("parts" in note) return note.parts.map(describe).join(" + ");
  if ("tokens" in note) return `${note.tokens} tokens${note.truncated ? ", cut" : ""}`;
  return "seconds" in note ? `${note.used_seconds} of ${note.seconds} s` : `${note.width} × ${note.height} pixels`;
}

/** A multipart form: a list gives one field for each of its entries. Files needn't become base64. */
function toForm(body: object): FormData {
  const form = new FormData();
  for (const [name, value] of Object.entries(body)) {
    for (const entry of [value].flat()) form.append(name, entry instanceof Blob ? entry : String(entry));
  }
  return form;
}

async function ask(baseUrl: string, path: string, name: string): Promise<void> {
  const client = createClient<paths, Json>({ baseUrl });
  const file = await readFile(path);
  const picture = new Blob([file]);
  const image = file.toString("base64");

  const form = { text: [`a ${name}`], image: [picture] };
  const embedded = await answerOf(() => client.POST("/embed", { body: form, bodySerializer: toForm }));
  for (const datum of embedded.data) {
    if ("error" in datum) continue; // only where `on_error: "report"` was asked for
    console.log(`${datum.modality}: ${datum.embedding?.length} numbers from ${describe(datum.input)}`);
  }

  const body = { queries: [{ image }], candidates: [{ text: `a ${name}` }, { text: "a train" }], probabilities: true };
  const { similarity, probabilities } = await answerOf(() => client.POST("/similarity", { body }));
  const [cosine, probability] = [similarity[0]?.[0], probabilities?.[0]?.[0]];
  console.log(`a ${name}: cosine ${cosine?.toFixed(3)}, probability ${probability?.toFixed(3)}`);

  const labels = [name, "dog", "train"];
  const classified = await answerOf(() => client.POST("/classify", { body: { input: { image }, labels } }));
  console.log(classified.labels.map(({ label, probability }) => `${label} ${probability.toFixed(3)}`).join(", "));

  const where = { image: picture, phrase: [`the ${name}`], scores: true };
  const grounded = await answerOf(() => client.POST("/ground", { body: where, bodySerializer: toForm }));
  for (const { phrase, box, score } of grounded.boxes) {
    console.log(`${phrase}: ${box.x0}, ${box.y0} to ${box.x1}, ${box.y1}; score ${score?.toFixed(3)}`);
  }
}

const [url, path, name] = process.argv.slice(2);
if (url === undefined || path === undefined || name === undefined) {
  console.error("usage: node example.js URL PICTURE NAME");
  process.exit(2);
}
try {
  await ask(url, path, name);
} catch (error) {
  console.error(`${basename(path)}: ${error instanceof Refused ? explain(error.problem) : error}`);
  process.exitCode = 1;
}
