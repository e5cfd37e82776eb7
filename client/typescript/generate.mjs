/** Writes the types of an OpenAPI document: `node generate.mjs openapi.json onepeace.d.ts`. */
import { readFile, writeFile } from "node:fs/promises";
import openapiTypescript, { astToString } from "openapi-typescript";
import ts from "typescript";

const HEADER = `/** The types of ONE-PEACE Server, made from its OpenAPI document by \`make typescript\`. */\n\n`;
const FILE = ts.factory.createTypeReferenceNode("Blob");

const [source, target] = process.argv.slice(2);
const types = await openapiTypescript(JSON.parse(await readFile(source, "utf8")), {
  defaultNonNullable: false, // a field with a default may be left out of a request
  transform: (schema) => (schema.format === "binary" ? FILE : undefined),
});
await writeFile(target, HEADER + astToString(types));
