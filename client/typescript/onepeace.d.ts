/** The types of ONE-PEACE Server, made from its OpenAPI document by `make typescript`. */

export interface paths {
    "/embed": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Items to vectors
         * @description Embed texts, images, clips and fused items in one space.
         *
         *     In multipart, the repeated fields `text`, `image` and `audio` are the items, in the order in which they stand.
         *     `Accept: application/x-npy` gives one array, `application/vnd.apache.arrow.stream` a table.
         */
        post: operations["embed"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/similarity": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cosines between items
         * @description Compare each query with each candidate; items may also be vectors that the caller has already.
         *
         *     `Accept: application/x-npy` gives one float32 array: the cosines, or the probabilities if they were asked for.
         */
        post: operations["similarity"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/ground": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Phrases to boxes
         * @description One box for each phrase. The model always gives a box, and no confidence; `scores` tell what is in it.
         */
        post: operations["ground"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/classify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Zero-shot labels
         * @description Probabilities of the caller's own labels, best first.
         */
        post: operations["classify"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/audio/labels": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A clip's labels
         * @description The trained head's `top_k` labels with probabilities, best first.
         */
        post: operations["audio_labels"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/vqa": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A question about an image
         * @description The trained answers with probabilities, best first.
         */
        post: operations["vqa"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/audio/qa": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A question about a clip
         * @description The caller's candidate answers with probabilities, best first.
         */
        post: operations["audio_qa"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/image-pair": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * A sentence about two images
         * @description The probability that the sentence is true of the two images together.
         */
        post: operations["image_pair"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/embeddings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Vectors, in OpenAI's format
         * @description Embed texts, images, clips and fused inputs, as OpenAI's clients and those of other servers ask for them.
         */
        post: operations["embeddings"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Models, in OpenAI's format
         * @description The model that gives vectors.
         */
        get: operations["models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A model, in OpenAI's format
         * @description The model of that name.
         */
        get: operations["model"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Models, limits, versions
         * @description What is served, by what, within which limits.
         */
        get: operations["info"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Is the process alive?
         * @description 200 while the event loop turns; 503 when a thread of the embedded engine has died.
         */
        get: operations["live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Are new callers welcome?
         * @description 200 once every model is loaded and warm; 503 before, and from the first SIGTERM on.
         *
         *     A Triton that is away later shows in `engine` alone.
         */
        get: operations["ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /**
         * AudioNote
         * @description What was heard of a clip.
         */
        AudioNote: {
            /**
             * Seconds
             * @description length of the file
             */
            seconds: number;
            /**
             * Used Seconds
             * @description length of what the model heard
             */
            used_seconds: number;
            /**
             * Sample Rate Hz
             * @description of the file
             */
            sample_rate_hz: number;
        };
        /**
         * Box
         * @description Two corners.
         */
        Box: {
            /** X0 */
            x0: number;
            /** Y0 */
            y0: number;
            /** X1 */
            x1: number;
            /** Y1 */
            y1: number;
        };
        /**
         * DeadAnswer
         * @description Answer of `/health/live` with 503.
         */
        DeadAnswer: {
            /**
             * Status
             * @constant
             */
            status: "engine_dead";
        };
        /**
         * EmbedAnswer
         * @description Answer of `/embed`.
         */
        EmbedAnswer: {
            /** Model */
            model: string;
            /**
             * Fingerprint
             * @description SHA-256 that names what computed this
             */
            fingerprint: string;
            /** Dimensions */
            dimensions: number;
            /** Data */
            data: (components["schemas"]["EmbedDatum"] | components["schemas"]["FailedDatum"])[];
        };
        /**
         * EmbedDatum
         * @description One item's vector.
         */
        EmbedDatum: {
            /**
             * Embedding
             * @description L2 norm 1; base64 for other encodings than float
             */
            embedding?: number[] | string;
            embeddings?: components["schemas"]["Embeddings"];
            /** Index */
            index: number;
            /**
             * Modality
             * @enum {string}
             */
            modality: "text" | "image" | "audio" | "fused";
            /**
             * Input
             * @description what was done to the item
             */
            input: components["schemas"]["TextNote"] | components["schemas"]["ImageNote"] | components["schemas"]["AudioNote"] | components["schemas"]["FusedNote"];
            /**
             * Windows
             * @description if they were asked for; the vector is their mean
             */
            windows?: components["schemas"]["WindowDatum"][];
        };
        /**
         * Embedding
         * @description One input's vector.
         */
        Embedding: {
            /**
             * Object
             * @constant
             */
            object: "embedding";
            /** Index */
            index: number;
            /**
             * Embedding
             * @description L2 norm 1; base64 for other formats than float
             */
            embedding: number[] | string;
            /**
             * Input
             * @description what was done to the input, as `/embed` says it
             */
            input: components["schemas"]["TextNote"] | components["schemas"]["ImageNote"] | components["schemas"]["AudioNote"] | components["schemas"]["FusedNote"];
        };
        /**
         * Embeddings
         * @description One vector in each encoding that was asked for.
         */
        Embeddings: {
            /** Float */
            float?: number[];
            /**
             * Base64
             * @description of little-endian float32
             */
            base64?: string;
            /**
             * Int8
             * @description base64 of the bytes
             */
            int8?: string;
            /**
             * Binary
             * @description base64 of the bytes
             */
            binary?: string;
        };
        /**
         * EmbeddingsAnswer
         * @description Answer of `POST /v1/embeddings`.
         */
        EmbeddingsAnswer: {
            /**
             * Object
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["Embedding"][];
            /** Model */
            model: string;
            /**
             * Fingerprint
             * @description SHA-256 that names what computed this
             */
            fingerprint: string;
            usage: components["schemas"]["Usage"];
        };
        /**
         * FailedDatum
         * @description What is wrong with one item, under `on_error: report`.
         */
        FailedDatum: {
            /** Index */
            index: number;
            /**
             * Modality
             * @description unknown where the item's form was wrong
             * @enum {string}
             */
            modality: "text" | "image" | "audio" | "fused" | "unknown";
            error: components["schemas"]["ProblemEntry"];
        };
        /**
         * FusedNote
         * @description What was done to each part of a fused item.
         */
        FusedNote: {
            /** Parts */
            parts: (components["schemas"]["TextNote"] | components["schemas"]["ImageNote"] | components["schemas"]["AudioNote"])[];
        };
        /**
         * GroundAnswer
         * @description Answer of `/ground`.
         */
        GroundAnswer: {
            /** Model */
            model: string;
            /**
             * Fingerprint
             * @description SHA-256 that names what computed this
             */
            fingerprint: string;
            image: components["schemas"]["ImageNote"];
            /** Boxes */
            boxes: components["schemas"]["PhraseBox"][];
        };
        /**
         * ImageNote
         * @description Size of the upright picture, pixels.
         */
        ImageNote: {
            /** Width */
            width: number;
            /** Height */
            height: number;
        };
        /**
         * InfoAnswer
         * @description Answer of `/info`.
         */
        InfoAnswer: {
            /** Model */
            model: string;
            /**
             * Fingerprint
             * @description SHA-256 that names what computes vectors
             */
            fingerprint: string;
            /** Dimensions */
            dimensions: number;
            /**
             * Engine
             * @enum {string}
             */
            engine: "onnx" | "triton";
            /** Device */
            device: string;
            /** Version */
            version: string;
            limits: components["schemas"]["Limits"];
            /** Models */
            models: {
                [key: string]: components["schemas"]["ServedModel"];
            };
        };
        /**
         * LabelProbability
         * @description A label and its probability; from `/classify` also its cosine.
         */
        LabelProbability: {
            /** Label */
            label: string;
            /** Probability */
            probability: number;
            /** Cosine */
            cosine?: number;
        };
        /**
         * LabelsAnswer
         * @description Answer of `/classify`, `/audio/labels`, `/vqa` and `/audio/qa`: best first.
         */
        LabelsAnswer: {
            /** Model */
            model: string;
            /**
             * Fingerprint
             * @description SHA-256 that names what computed this
             */
            fingerprint: string;
            /** Labels */
            labels: components["schemas"]["LabelProbability"][];
            /**
             * Input
             * @description what was done to the item
             */
            input: components["schemas"]["TextNote"] | components["schemas"]["ImageNote"] | components["schemas"]["AudioNote"] | components["schemas"]["FusedNote"];
            /**
             * None Of These
             * @description probability, if `/classify` was given a threshold
             */
            none_of_these?: number;
            /** Windows */
            windows?: components["schemas"]["WindowLabelsDatum"][];
        };
        /**
         * Limits
         * @description What one request, and all together, may ask for. Those of URLs stand there where they are fetched.
         */
        Limits: {
            /** Max Body Bytes */
            max_body_bytes: number;
            /** Max Pending Bytes */
            max_pending_bytes: number;
            /** Max Items */
            max_items: number;
            /** Max Text Bytes */
            max_text_bytes: number;
            /** Max Pixels */
            max_pixels: number;
            /** Max Audio Seconds */
            max_audio_seconds: number;
            /** Max Queue */
            max_queue: number;
            /** Deadline Ms */
            deadline_ms: number;
            /** Read Timeout Ms */
            read_timeout_ms: number;
            /** Url Max Bytes */
            url_max_bytes?: number;
            /** Url Timeout Ms */
            url_timeout_ms?: number;
            /** Url Max Redirects */
            url_max_redirects?: number;
            /**
             * Max Tokens
             * @description of each model that reads texts, the end token left out
             */
            max_tokens: {
                [key: string]: number;
            };
        };
        /**
         * LiveAnswer
         * @description Answer of `/health/live`.
         */
        LiveAnswer: {
            /**
             * Status
             * @constant
             */
            status: "live";
        };
        /**
         * Model
         * @description A served model.
         */
        Model: {
            /** Id */
            id: string;
            /**
             * Object
             * @constant
             */
            object: "model";
            /**
             * Created
             * @description Unix time of the export
             */
            created: number;
            /** Owned By */
            owned_by: string;
        };
        /**
         * ModelsAnswer
         * @description Answer of `GET /v1/models`.
         */
        ModelsAnswer: {
            /**
             * Object
             * @constant
             */
            object: "list";
            /** Data */
            data: components["schemas"]["Model"][];
        };
        /**
         * NotReadyAnswer
         * @description Answer of `/health/ready` with 503.
         */
        NotReadyAnswer: {
            /**
             * Status
             * @enum {string}
             */
            status: "starting" | "draining" | "engine_unavailable" | "engine_dead" | "decoders_unavailable";
            /**
             * Engine
             * @enum {string}
             */
            engine: "ready" | "unavailable";
        };
        /**
         * PairAnswer
         * @description Answer of `/image-pair`.
         */
        PairAnswer: {
            /** Model */
            model: string;
            /**
             * Fingerprint
             * @description SHA-256 that names what computed this
             */
            fingerprint: string;
            /**
             * Probability
             * @description that the sentence is true of the two images
             */
            probability: number;
        };
        /**
         * PhraseBox
         * @description A phrase's box in pixels of the upright image, and as fractions of its sides.
         */
        PhraseBox: {
            /** Phrase */
            phrase: string;
            box: components["schemas"]["Box"];
            box_normalized: components["schemas"]["Box"];
            /**
             * Score
             * @description cosine between the phrase and what is in the box, if asked for
             */
            score?: number;
        };
        /**
         * ProblemEntry
         * @description One thing that is wrong.
         */
        ProblemEntry: {
            /**
             * Pointer
             * @description JSON pointer into the request; empty where it is about the whole
             */
            pointer: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "malformed_body" | "malformed_request" | "unauthenticated" | "forbidden" | "not_found" | "model_not_served" | "model_not_found" | "method_not_allowed" | "request_too_slow" | "body_too_large" | "unsupported_media_type" | "invalid_field" | "too_many_items" | "invalid_text" | "invalid_base64" | "unreadable_image" | "image_too_large" | "unreadable_audio" | "audio_too_long" | "decoder_crashed" | "decoder_timeout" | "decoder_out_of_memory" | "url_not_allowed" | "url_unreachable" | "fingerprint_mismatch" | "invalid_request" | "queue_full" | "queue_full" | "rate_limited" | "head_too_large" | "internal_error" | "engine_failure" | "not_ready" | "not_ready" | "decoders_unavailable" | "engine_unavailable" | "deadline_exceeded";
            /** Detail */
            detail: string;
            /**
             * Limit
             * @description what is allowed
             */
            limit?: number;
            /**
             * Actual
             * @description what came instead
             */
            actual?: number;
        };
        /**
         * ReadyAnswer
         * @description Answer of `/health/ready` with 200.
         */
        ReadyAnswer: {
            /**
             * Status
             * @constant
             */
            status: "ready";
            /**
             * Engine
             * @description whether every model has a server that is well now
             * @enum {string}
             */
            engine: "ready" | "unavailable";
        };
        /**
         * ServedModel
         * @description The card of a model, without what doesn't apply to it.
         */
        ServedModel: {
            /**
             * Fingerprint
             * @description SHA-256 of weights, graph, tokenizer, preprocessing
             */
            fingerprint: string;
            /** Embedding Dim */
            embedding_dim?: number;
            /**
             * Image Size
             * @description side of the square input, pixels
             */
            image_size?: number;
            /** Sample Rate Hz */
            sample_rate_hz?: number;
            /**
             * Min Audio S
             * @description a shorter clip is repeated until it fills this
             */
            min_audio_s?: number;
            /**
             * Max Audio S
             * @description a longer clip is cut to this
             */
            max_audio_s?: number;
            /**
             * Max Tokens
             * @description ids of one text, the end token included
             */
            max_tokens?: number;
            /** Num Labels */
            num_labels?: number;
            /**
             * Activation
             * @description what turns logits into probabilities
             * @enum {string}
             */
            activation?: "softmax" | "sigmoid";
            /**
             * Logit Scale
             * @description natural logarithm of the factor on a cosine
             */
            logit_scale?: number;
            /**
             * Trained Dimensions
             * @description prefixes of a vector that were trained to stand alone
             */
            trained_dimensions: number[];
            /**
             * Precision
             * @enum {string}
             */
            precision: "fp32" | "fp16" | "bf16" | "int8";
            /** Checkpoint Sha256 */
            checkpoint_sha256: string;
            /** Exported At */
            exported_at: string;
            /** Versions */
            versions: {
                [key: string]: string;
            };
            /** Max Batch Size */
            max_batch_size: number;
        };
        /**
         * SimilarityAnswer
         * @description Answer of `/similarity`.
         */
        SimilarityAnswer: {
            /** Model */
            model: string;
            /**
             * Fingerprint
             * @description SHA-256 that names what computed this
             */
            fingerprint: string;
            /**
             * Similarity
             * @description cosines, queries × candidates
             */
            similarity: number[][];
            /** Probabilities */
            probabilities?: number[][];
        };
        /**
         * TextNote
         * @description What was read of a text.
         */
        TextNote: {
            /**
             * Tokens
             * @description ids that were used, the end token left out
             */
            tokens: number;
            /**
             * Truncated
             * @description whether the text was longer than the model reads
             */
            truncated: boolean;
        };
        /**
         * Usage
         * @description Token ids of texts, without the end token; pictures and sounds count nothing.
         */
        Usage: {
            /** Prompt Tokens */
            prompt_tokens: number;
            /** Total Tokens */
            total_tokens: number;
        };
        /**
         * WindowDatum
         * @description One window of a clip: its place in seconds, and its vector in the request's encoding.
         */
        WindowDatum: {
            /**
             * Embedding
             * @description L2 norm 1; base64 for other encodings than float
             */
            embedding?: number[] | string;
            embeddings?: components["schemas"]["Embeddings"];
            /** Start */
            start: number;
            /** End */
            end: number;
        };
        /**
         * WindowLabelsDatum
         * @description The labels of one window of a clip, and its place in seconds.
         */
        WindowLabelsDatum: {
            /** Start */
            start: number;
            /** End */
            end: number;
            /** Labels */
            labels: components["schemas"]["LabelProbability"][];
        };
        /**
         * Audio
         * @description A clip: WAV, FLAC, OGG or MP3, told by its content.
         */
        Audio: {
            /**
             * Audio
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            audio: string;
        };
        /**
         * AudioLabelsRequest
         * @description `POST /audio/labels`.
         */
        AudioLabelsRequest: {
            /**
             * Audio
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            audio: string;
            /**
             * Top K
             * @default 5
             */
            top_k?: number;
            /** @description labels for each window, and `labels` by their mean weighted by seconds */
            windows?: components["schemas"]["AudioWindows"] | null;
        };
        /**
         * AudioQaRequest
         * @description `POST /audio/qa`.
         */
        AudioQaRequest: {
            /**
             * Audio
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            audio: string;
            /** Question */
            question: string;
            /** Candidates */
            candidates: string[];
        };
        /**
         * AudioUrlPart
         * @description A sound among content parts, as vLLM takes it.
         */
        AudioUrlPart: {
            /**
             * Type
             * @constant
             */
            type: "audio_url";
            audio_url: components["schemas"]["MediaUrl"];
        };
        /**
         * AudioWindows
         * @description Hear all of a long clip, window by window.
         */
        AudioWindows: {
            /**
             * Seconds
             * @description length of a window; within the model's min_audio_s and max_audio_s
             */
            seconds: number;
            /**
             * Hop
             * @description seconds from one window's start to the next; the window's length when left out
             */
            hop?: number | null;
        };
        /**
         * ClassifyRequest
         * @description `POST /classify`.
         */
        ClassifyRequest: {
            /** Input */
            input: components["schemas"]["Text"] | components["schemas"]["Tokens"] | components["schemas"]["Image"] | components["schemas"]["Audio"] | components["schemas"]["Parts"];
            /** Labels */
            labels: string[];
            /**
             * Template
             * @description holds `{}` once, where the label goes
             */
            template?: string | null;
            /**
             * Templates
             * @description several: a label's vector is the normalised mean over them
             */
            templates?: string[] | null;
            /**
             * Multi Label
             * @description labels don't exclude each other; needs a threshold
             * @default false
             */
            multi_label?: boolean;
            /**
             * Threshold
             * @description cosine from which a label counts; the rest is `none_of_these`
             */
            threshold?: number | null;
        };
        /**
         * EmbedRequest
         * @description `POST /embed`.
         */
        EmbedRequest: {
            /**
             * Encoding
             * @description float: numbers; base64: little-endian float32; int8, binary: base64 of their bytes. A list gives `embeddings`, by name, in the place of `embedding`
             * @default float
             */
            encoding?: ("float" | "base64" | "int8" | "binary") | ("float" | "base64" | "int8" | "binary")[];
            /**
             * Dimensions
             * @description first numbers of each vector, L2-normalised anew; only what the model was trained for
             */
            dimensions?: number | null;
            /** @description for clips: a vector for each window, and `embedding` is their mean weighted by seconds */
            windows?: components["schemas"]["AudioWindows"] | null;
            /**
             * On Error
             * @description what one bad item does to its request
             * @default fail
             * @enum {string}
             */
            on_error?: "fail" | "report";
            /** Inputs */
            inputs: (components["schemas"]["Text"] | components["schemas"]["Tokens"] | components["schemas"]["Image"] | components["schemas"]["Audio"] | components["schemas"]["Parts"])[];
        };
        /**
         * EmbeddingsRequest
         * @description `POST /v1/embeddings`: `input`, or one message.
         */
        EmbeddingsRequest: {
            /**
             * Model
             * @description the served model, see `/v1/models`
             */
            model: string;
            /**
             * Encoding Format
             * @description float, if left out; int8 and binary are our own
             */
            encoding_format?: ("float" | "base64" | "int8" | "binary") | null;
            /**
             * Dimensions
             * @description only what the model was trained for
             */
            dimensions?: number | null;
            /**
             * Modality
             * @description what the strings of `input` are, as Infinity takes it: texts, or base64 or data URIs
             * @default text
             * @enum {string}
             */
            modality?: "text" | "image" | "audio";
            /**
             * User
             * @description ignored
             */
            user?: string | null;
            /**
             * Input
             * @description one input or a list of them; a list of integers is one text as the model's token ids
             */
            input?: string | number[] | (string | number[] | components["schemas"]["Text"] | components["schemas"]["Image"] | components["schemas"]["Audio"] | components["schemas"]["Parts"] | components["schemas"]["Fused"] | (components["schemas"]["TextPart"] | components["schemas"]["ImagePart"] | components["schemas"]["InputAudioPart"] | components["schemas"]["AudioUrlPart"]))[] | components["schemas"]["Text"] | components["schemas"]["Image"] | components["schemas"]["Audio"] | components["schemas"]["Parts"] | components["schemas"]["Fused"] | (components["schemas"]["TextPart"] | components["schemas"]["ImagePart"] | components["schemas"]["InputAudioPart"] | components["schemas"]["AudioUrlPart"]) | null;
            /**
             * Messages
             * @description gives one vector
             */
            messages?: components["schemas"]["Message"][] | null;
        };
        /**
         * ErrorAnswer
         * @description An error.
         */
        ErrorAnswer: {
            error: components["schemas"]["ErrorDetail"];
        };
        /**
         * ErrorDetail
         * @description What OpenAI's clients show.
         */
        ErrorDetail: {
            /** Message */
            message: string;
            /**
             * Type
             * @enum {string}
             */
            type: "invalid_request_error" | "rate_limit_error" | "server_error";
            /**
             * Param
             * @description the first thing that is wrong, such as input[3].content[1].image_url.url
             */
            param: string | null;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "malformed_body" | "malformed_request" | "unauthenticated" | "forbidden" | "not_found" | "model_not_served" | "model_not_found" | "method_not_allowed" | "request_too_slow" | "body_too_large" | "unsupported_media_type" | "invalid_field" | "too_many_items" | "invalid_text" | "invalid_base64" | "unreadable_image" | "image_too_large" | "unreadable_audio" | "audio_too_long" | "decoder_crashed" | "decoder_timeout" | "decoder_out_of_memory" | "url_not_allowed" | "url_unreachable" | "fingerprint_mismatch" | "invalid_request" | "queue_full" | "queue_full" | "rate_limited" | "head_too_large" | "internal_error" | "engine_failure" | "not_ready" | "not_ready" | "decoders_unavailable" | "engine_unavailable" | "deadline_exceeded";
        };
        /**
         * Fused
         * @description Several things in one vector: the normalised mean of the parts' vectors.
         */
        Fused: {
            /** Content */
            content: string | (components["schemas"]["TextPart"] | components["schemas"]["ImagePart"] | components["schemas"]["InputAudioPart"] | components["schemas"]["AudioUrlPart"])[];
        };
        /**
         * GroundRequest
         * @description `POST /ground`.
         */
        GroundRequest: {
            /**
             * Image
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            image: string;
            /** Phrases */
            phrases: string[];
            /**
             * Scores
             * @description also the cosine between each phrase and what is in its box: low where it is not there
             * @default false
             */
            scores?: boolean;
        };
        /**
         * Image
         * @description A picture: JPEG, PNG, WebP, GIF, BMP or TIFF, told by its content.
         */
        Image: {
            /**
             * Image
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            image: string;
        };
        /**
         * ImagePairRequest
         * @description `POST /image-pair`.
         */
        ImagePairRequest: {
            /**
             * Image
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            image: string;
            /**
             * Image 2
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            image_2: string;
            /** Text */
            text: string;
        };
        /**
         * ImagePart
         * @description A picture among content parts.
         */
        ImagePart: {
            /**
             * Type
             * @constant
             */
            type: "image_url";
            image_url: components["schemas"]["MediaUrl"];
        };
        /**
         * InputAudio
         * @description A sound file.
         */
        InputAudio: {
            /**
             * Data
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            data: string;
            /**
             * Format
             * @description not believed: the content tells
             */
            format?: string | null;
        };
        /**
         * InputAudioPart
         * @description A sound among content parts, as OpenAI's chat takes it.
         */
        InputAudioPart: {
            /**
             * Type
             * @constant
             */
            type: "input_audio";
            input_audio: components["schemas"]["InputAudio"];
        };
        /**
         * MediaUrl
         * @description Where a file is: a data URI with `;base64`.
         */
        MediaUrl: {
            /**
             * Url
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            url: string;
            /**
             * Detail
             * @description ignored: every picture has one size here
             */
            detail?: ("auto" | "low" | "high") | null;
        };
        /**
         * Message
         * @description A message of a chat, as vLLM takes it: its content gives one vector.
         */
        Message: {
            /** Content */
            content: string | (components["schemas"]["TextPart"] | components["schemas"]["ImagePart"] | components["schemas"]["InputAudioPart"] | components["schemas"]["AudioUrlPart"])[];
            /**
             * Role
             * @description a vector has no use for instructions or answers
             * @constant
             */
            role: "user";
        };
        /**
         * Parts
         * @description Several things in one vector: the normalised weighted sum of the parts' vectors.
         */
        Parts: {
            /** Parts */
            parts: (components["schemas"]["Text"] | components["schemas"]["Tokens"] | components["schemas"]["Image"] | components["schemas"]["Audio"])[];
            /**
             * Weights
             * @description one for each part; all 1 when left out
             */
            weights?: number[] | null;
        };
        /**
         * SimilarityRequest
         * @description `POST /similarity`.
         */
        SimilarityRequest: {
            /** Queries */
            queries: (components["schemas"]["Text"] | components["schemas"]["Tokens"] | components["schemas"]["Image"] | components["schemas"]["Audio"] | components["schemas"]["Parts"] | components["schemas"]["Vector"])[];
            /** Candidates */
            candidates: (components["schemas"]["Text"] | components["schemas"]["Tokens"] | components["schemas"]["Image"] | components["schemas"]["Audio"] | components["schemas"]["Parts"] | components["schemas"]["Vector"])[];
            /**
             * Probabilities
             * @description also softmax(exp(logit_scale) · cosine) over the candidates
             * @default false
             */
            probabilities?: boolean;
        };
        /**
         * Text
         * @description A text; cut to the model's length, which the answer says.
         */
        Text: {
            /** Text */
            text: string;
        };
        /**
         * TextPart
         * @description A text among content parts.
         */
        TextPart: {
            /**
             * Type
             * @constant
             */
            type: "text";
            /** Text */
            text: string;
        };
        /**
         * Tokens
         * @description A text as ids of the model's own `tokenizer.json`; the end token is appended if it is missing.
         */
        Tokens: {
            /**
             * Tokens
             * @description ids of the served model's own tokenizer.json
             */
            tokens: number[];
        };
        /**
         * Vector
         * @description A vector that the caller has already; `/similarity` only.
         */
        Vector: {
            /**
             * Embedding
             * @description numbers, or base64 of little-endian float32
             */
            embedding: number[] | string;
            /**
             * Fingerprint
             * @description of the model that made it
             */
            fingerprint?: string | null;
        };
        /**
         * VqaRequest
         * @description `POST /vqa`.
         */
        VqaRequest: {
            /**
             * Image
             * Format: byte
             * @description base64, a data URI with ;base64, or an https URL
             */
            image: string;
            /** Question */
            question: string;
            /**
             * Top K
             * @default 5
             */
            top_k?: number;
        };
        /**
         * Problem400
         * @description RFC 9457 problem details.
         */
        Problem400: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 400;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "malformed_body" | "malformed_request";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem401
         * @description RFC 9457 problem details.
         */
        Problem401: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 401;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "unauthenticated";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem403
         * @description RFC 9457 problem details.
         */
        Problem403: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 403;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "forbidden";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem404
         * @description RFC 9457 problem details.
         */
        Problem404: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 404;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "not_found" | "model_not_served" | "model_not_found";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem405
         * @description RFC 9457 problem details.
         */
        Problem405: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 405;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "method_not_allowed";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem408
         * @description RFC 9457 problem details.
         */
        Problem408: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 408;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "request_too_slow";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem413
         * @description RFC 9457 problem details.
         */
        Problem413: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 413;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "body_too_large";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem415
         * @description RFC 9457 problem details.
         */
        Problem415: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 415;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "unsupported_media_type";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem422
         * @description RFC 9457 problem details.
         */
        Problem422: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 422;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "invalid_field" | "too_many_items" | "invalid_text" | "invalid_base64" | "unreadable_image" | "image_too_large" | "unreadable_audio" | "audio_too_long" | "decoder_crashed" | "decoder_timeout" | "decoder_out_of_memory" | "url_not_allowed" | "url_unreachable" | "fingerprint_mismatch" | "invalid_request";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem429
         * @description RFC 9457 problem details.
         */
        Problem429: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 429;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "queue_full" | "queue_full" | "rate_limited";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem431
         * @description RFC 9457 problem details.
         */
        Problem431: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 431;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "head_too_large";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem500
         * @description RFC 9457 problem details.
         */
        Problem500: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 500;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "internal_error" | "engine_failure";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem503
         * @description RFC 9457 problem details.
         */
        Problem503: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 503;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "not_ready" | "not_ready" | "decoders_unavailable" | "engine_unavailable";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /**
         * Problem504
         * @description RFC 9457 problem details.
         */
        Problem504: {
            /** Type */
            type: string;
            /** Title */
            title: string;
            /** @constant */
            status: 504;
            /** Detail */
            detail: string;
            /** Instance */
            instance: string;
            /**
             * Code
             * @description stable; docs/api.md lists them
             * @enum {string}
             */
            code: "deadline_exceeded";
            /** Request Id */
            request_id: string;
            /** Errors */
            errors: components["schemas"]["ProblemEntry"][];
        };
        /** @description RFC 9457 problem details. */
        Problem: components["schemas"]["Problem400"] | components["schemas"]["Problem401"] | components["schemas"]["Problem403"] | components["schemas"]["Problem404"] | components["schemas"]["Problem405"] | components["schemas"]["Problem408"] | components["schemas"]["Problem413"] | components["schemas"]["Problem415"] | components["schemas"]["Problem422"] | components["schemas"]["Problem429"] | components["schemas"]["Problem431"] | components["schemas"]["Problem500"] | components["schemas"]["Problem503"] | components["schemas"]["Problem504"];
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    embed: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmbedRequest"];
                "multipart/form-data": {
                    text?: string[];
                    image?: Blob[];
                    audio?: Blob[];
                    encoding?: ("float" | "base64" | "int8" | "binary")[];
                    /** @description first numbers of each vector, L2-normalised anew; only what the model was trained for */
                    dimensions?: number;
                    /** @description length of a window; within the model's min_audio_s and max_audio_s */
                    window_seconds?: number;
                    /** @description seconds from one window's start to the next; the window's length when left out */
                    window_hop?: number;
                    /**
                     * @description what one bad item does to its request
                     * @default fail
                     * @enum {string}
                     */
                    on_error?: "fail" | "report";
                } & ({
                    text: string[];
                } | {
                    image: Blob[];
                } | {
                    audio: Blob[];
                });
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EmbedAnswer"];
                    "application/x-npy": Blob;
                    "application/vnd.apache.arrow.stream": Blob;
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem400"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem403"];
                };
            };
            /** @description Model not served */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem404"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem408"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem413"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem415"];
                };
            };
            /** @description Invalid request */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem422"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem500"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem503"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem504"];
                };
            };
        };
    };
    similarity: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SimilarityRequest"];
                "multipart/form-data": {
                    query_text?: string[];
                    query_image?: Blob[];
                    query_audio?: Blob[];
                    candidate_text?: string[];
                    candidate_image?: Blob[];
                    candidate_audio?: Blob[];
                    /**
                     * @description also softmax(exp(logit_scale) · cosine) over the candidates
                     * @default false
                     */
                    probabilities?: boolean;
                } & (({
                    query_text: string[];
                } | {
                    query_image: Blob[];
                } | {
                    query_audio: Blob[];
                }) & ({
                    candidate_text: string[];
                } | {
                    candidate_image: Blob[];
                } | {
                    candidate_audio: Blob[];
                }));
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SimilarityAnswer"];
                    "application/x-npy": Blob;
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem400"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem403"];
                };
            };
            /** @description Model not served */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem404"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem408"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem413"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem415"];
                };
            };
            /** @description Invalid request */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem422"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem500"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem503"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem504"];
                };
            };
        };
    };
    ground: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["GroundRequest"];
                "multipart/form-data": {
                    /** Format: binary */
                    image: Blob;
                    phrase: string[];
                    /**
                     * @description also the cosine between each phrase and what is in its box: low where it is not there
                     * @default false
                     */
                    scores?: boolean;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["GroundAnswer"];
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem400"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem403"];
                };
            };
            /** @description Model not served */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem404"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem408"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem413"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem415"];
                };
            };
            /** @description Invalid request */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem422"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem500"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem503"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem504"];
                };
            };
        };
    };
    classify: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ClassifyRequest"];
                "multipart/form-data": {
                    text?: string;
                    /** Format: binary */
                    image?: Blob;
                    /** Format: binary */
                    audio?: Blob;
                    label: string[];
                    /** @description holds `{}` once, where the label goes */
                    template?: string;
                    /** @description several: a label's vector is the normalised mean over them */
                    templates?: string[];
                    /**
                     * @description labels don't exclude each other; needs a threshold
                     * @default false
                     */
                    multi_label?: boolean;
                    /** @description cosine from which a label counts; the rest is `none_of_these` */
                    threshold?: number;
                } & ({
                    text: string;
                } | {
                    /** Format: binary */
                    image: Blob;
                } | {
                    /** Format: binary */
                    audio: Blob;
                });
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabelsAnswer"];
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem400"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem403"];
                };
            };
            /** @description Model not served */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem404"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem408"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem413"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem415"];
                };
            };
            /** @description Invalid request */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem422"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem500"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem503"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem504"];
                };
            };
        };
    };
    audio_labels: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AudioLabelsRequest"];
                "multipart/form-data": {
                    /** Format: binary */
                    audio: Blob;
                    /** @default 5 */
                    top_k?: number;
                    /** @description length of a window; within the model's min_audio_s and max_audio_s */
                    window_seconds?: number;
                    /** @description seconds from one window's start to the next; the window's length when left out */
                    window_hop?: number;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabelsAnswer"];
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem400"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem403"];
                };
            };
            /** @description Model not served */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem404"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem408"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem413"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem415"];
                };
            };
            /** @description Invalid request */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem422"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem500"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem503"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem504"];
                };
            };
        };
    };
    vqa: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["VqaRequest"];
                "multipart/form-data": {
                    /** Format: binary */
                    image: Blob;
                    question: string;
                    /** @default 5 */
                    top_k?: number;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabelsAnswer"];
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem400"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem403"];
                };
            };
            /** @description Model not served */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem404"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem408"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem413"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem415"];
                };
            };
            /** @description Invalid request */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem422"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem500"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem503"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem504"];
                };
            };
        };
    };
    audio_qa: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["AudioQaRequest"];
                "multipart/form-data": {
                    /** Format: binary */
                    audio: Blob;
                    question: string;
                    candidate: string[];
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LabelsAnswer"];
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem400"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem403"];
                };
            };
            /** @description Model not served */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem404"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem408"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem413"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem415"];
                };
            };
            /** @description Invalid request */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem422"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem500"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem503"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem504"];
                };
            };
        };
    };
    image_pair: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ImagePairRequest"];
                "multipart/form-data": {
                    /** Format: binary */
                    image: Blob;
                    /** Format: binary */
                    image_2: Blob;
                    text: string;
                };
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PairAnswer"];
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem400"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem403"];
                };
            };
            /** @description Model not served */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem404"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem408"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem413"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem415"];
                };
            };
            /** @description Invalid request */
            422: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem422"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem500"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem503"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem504"];
                };
            };
        };
    };
    embeddings: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EmbeddingsRequest"];
            };
        };
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EmbeddingsAnswer"];
                };
            };
            /** @description Malformed body */
            400: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Forbidden */
            403: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Model not served; Model not found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Request timeout */
            408: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Body too large */
            413: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Unsupported media type */
            415: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Engine failure */
            500: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Not ready; Decoders unavailable; Engine unavailable */
            503: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Deadline exceeded */
            504: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelsAnswer"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Model not found */
            404: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErrorAnswer"];
                };
            };
        };
    };
    info: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InfoAnswer"];
                };
            };
            /** @description Unauthenticated */
            401: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem401"];
                };
            };
            /** @description Too many requests */
            429: {
                headers: {
                    /** @description seconds to wait before asking again */
                    "Retry-After"?: number;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem429"];
                };
            };
        };
    };
    live: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LiveAnswer"];
                };
            };
            /** @description Only a new process helps */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeadAnswer"];
                };
            };
        };
    };
    ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Successful Response */
            200: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ReadyAnswer"];
                };
            };
            /** @description Not ready */
            503: {
                headers: {
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["NotReadyAnswer"];
                };
            };
        };
    };
}
