// A reader and pooler for Node (18 or newer), written from SPEC.md alone, and its adapter.
// It needs no package. Section numbers refer to SPEC.md.

import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { createInterface } from "node:readline";

const ITEM_BYTES = {
  F64: 8, F32: 4, F16: 2, I64: 8, I32: 4, I16: 2, I8: 1, U64: 8, U32: 4, U16: 2, U8: 1,
};
const TENSORS = {
  embeddings: { dtypes: ["F32", "F16", "I8"], limits: [16777216, 65536] },
  scale: { dtypes: ["F32"], limits: [65536] },
  weights: { dtypes: ["F32"], limits: [16777216] },
  rows: { dtypes: ["U16", "U32", "I64"], limits: [16777216] },
  tokenizer: { dtypes: ["U8"], limits: [268435456] },
};
const HEAD_KEY = /^head\.((?!x-)[A-Za-z0-9_-]{1,64})$/;
const HEAD_TENSORS = {
  weights: ["F32", "I8"], scale: ["F32"], bias: ["F32"],
  "hidden-weights": ["F32", "I8"], "hidden-scale": ["F32"], "hidden-bias": ["F32"],
  labels: ["U8"], "label-ends": ["U32"], thresholds: ["F32"],
};
const MAX_OUTPUTS = 65536;
const MAX_LABEL = 1024;
const OPTIONAL_NAME = /^(?=.{1,256}$)(?:head|space|pieces)(?:\.[A-Za-z0-9_-]{1,64})+$/;
const MAX_OPTIONAL = 1024;
const MAX_HEADER = 1048576n;
const MAX_PROMPTS = 256;
const MAX_PROMPT_NAME = 256;
const MAX_PROMPT = 16384;
const NEEDED =
  "format_version features dim prefixes normalize pooling digest vectors_digest".split(" ");
const DECISIVE_KEYS = (
  "damping_beta damping_dims dim features max_tokens normalize pooling prefixes unknown_token_id"
).split(" ");
const DAMPING = ["damping_beta", "damping_dims"];
const STRINGS = "teacher teacher_revision license languages recipe creator description".split(" ");
const INTEGER = "(?:0|[1-9][0-9]{0,15})";
const NUMBER = `${INTEGER}(?:\\.[0-9]{0,14}[1-9])?`;
const LIST = "(?:[^ ]+(?: [^ ]+)*)?";
const LONE_SURROGATE = /[\ud800-\udfff]/u;

class Refused extends Error {}

function refuse(code) {
  throw new Refused(code);
}

function decode(bytes, code) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return refuse(code);
  }
}

// The spelling of a JSON number. `parseObject` parses the header's JSON (section 4): objects become
// Maps, and numbers keep their spelling.
class Spelled {
  constructor(spelling) {
    this.spelling = spelling;
  }
}

function parseObject(text) {
  let at = 0;
  const bad = () => refuse("header_not_json");
  const match = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) return null;
    at = pattern.lastIndex;
    return found[0];
  };
  const blank = () => match(/[ \t\r\n]*/y);
  const take = (character) => {
    blank();
    if (text[at] !== character) return false;
    at += 1;
    return true;
  };
  const string = () => {
    blank();
    const escape = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    const found = match(escape) ?? bad();
    const value = JSON.parse(found);
    return LONE_SURROGATE.test(value) ? bad() : value;
  };
  const value = (depth) => {
    blank();
    const first = text[at];
    if (first === '"') return string();
    if (first === "{" || first === "[") {
      if (depth === 3) refuse("header_too_deep");
      at += 1;
      return first === "{" ? object(depth + 1) : array(depth + 1);
    }
    const word = match(/true|false|null/y);
    if (word) return JSON.parse(word);
    return new Spelled(match(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y) ?? bad());
  };
  const object = (depth) => {
    const members = new Map();
    if (take("}")) return members;
    do {
      const key = string();
      if (!take(":")) bad();
      if (members.has(key)) refuse("duplicate_key");
      members.set(key, value(depth));
    } while (take(","));
    return take("}") ? members : bad();
  };
  const array = (depth) => {
    const items = [];
    if (take("]")) return items;
    do items.push(value(depth));
    while (take(","));
    return take("]") ? items : bad();
  };
  if (text[0] !== "{") bad();
  const members = value(0);
  return /^ *$/.test(text.slice(at)) ? members : bad();
}

function integers(value) {
  const pattern = new RegExp(`^${INTEGER}$`);
  const right = (item) =>
    item instanceof Spelled && pattern.test(item.spelling) && BigInt(item.spelling) < 2n ** 53n;
  if (!Array.isArray(value) || !value.every(right)) refuse("invalid_tensor_entry");
  return value.map((item) => Number(item.spelling));
}

class StaticFile {
  constructor(path) {
    this.handle = openSync(path, "r");
    try {
      this.open(fstatSync(this.handle).size);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close() {
    closeSync(this.handle);
  }

  bytes(begin, length) {
    const buffer = Buffer.alloc(length);
    let done = 0;
    while (done < length) {
      const count = readSync(this.handle, buffer, done, length - done, begin + done);
      if (count === 0) throw new Error("the file became shorter");
      done += count;
    }
    return buffer;
  }

  // Make the opening checks of section 3.
  open(size) {
    if (size < 8) refuse("file_too_short");
    const long = this.bytes(0, 8).readBigUInt64LE();
    if (long > MAX_HEADER) refuse("header_too_large");
    const length = Number(long);
    if (length < 2 || length > size - 8) refuse("header_truncated");
    if (length % 8) refuse("header_misaligned");
    this.start = 8 + length;
    const text = decode(this.bytes(8, length), "header_not_utf8");
    const members = parseObject(text);
    this.metadata = members.get("__metadata__");
    const strings =
      this.metadata instanceof Map && [...this.metadata.values()].every((v) => typeof v === "string");
    if (!strings) refuse("metadata_not_strings");
    members.delete("__metadata__");
    this.checkVersion();
    this.tensors = new Map();
    for (const [name, entry] of members) this.tensors.set(name, checkEntry(name, entry));
    this.checkLayout(size - this.start);
    this.headNames = [...this.metadata.keys()].sort().filter((key) => HEAD_KEY.test(key));
    const known =
      this.tensors.has("pieces.definition") || this.metadata.has("space") || this.headNames.length;
    this.refused = known ? [] : null;
    this.checkMetadata();
    this.checkValues();
  }

  checkLayout(dataBytes) {
    for (const { begin, end, size, itemBytes } of this.tensors.values()) {
      if (begin > end || end > dataBytes) refuse("tensor_out_of_bounds");
      if (end - begin !== size) refuse("size_mismatch");
      if (begin % itemBytes) refuse("tensor_misaligned");
    }
    let position = 0;
    for (const { begin, end } of [...this.tensors.values()].sort((a, b) => a.begin - b.begin)) {
      if (begin !== position) refuse(begin < position ? "tensor_overlap" : "tensor_gap");
      position = end;
    }
    if (position !== dataBytes) refuse("tensor_gap");
    const optional = [...this.tensors].filter(([name]) => !Object.hasOwn(TENSORS, name));
    if (optional.length > MAX_OPTIONAL) refuse("limit_exceeded");
    let behind = 0;
    for (const [name, { end }] of this.tensors) {
      if (Object.hasOwn(TENSORS, name)) behind = Math.max(behind, end);
    }
    if (optional.some(([, { begin }]) => begin < behind)) refuse("tensor_misplaced");
    const embeddings = this.tensors.get("embeddings") ?? refuse("missing_tensor");
    if (!this.tensors.has("tokenizer")) refuse("missing_tensor");
    if (embeddings.dtype === "I8" && !this.tensors.has("scale")) refuse("missing_tensor");
    if (embeddings.dtype !== "I8" && this.tensors.has("scale")) refuse("unexpected_tensor");
    [this.rowCount, this.dim] = embeddings.shape;
    this.tokenCount = (this.tensors.get("rows") ?? embeddings).shape[0];
    for (const [name, expected] of [["scale", this.dim], ["weights", this.tokenCount]]) {
      if ((this.tensors.get(name)?.shape[0] ?? expected) !== expected) refuse("wrong_shape");
    }
  }

  // Check version and features (section 12), before all data that a later version may change.
  checkVersion() {
    const values = this.metadata;
    const invalid = () => refuse("invalid_metadata");
    if (values.get("format") !== "staticemb") refuse("not_staticemb");
    const version = values.get("format_version") ?? refuse("missing_metadata");
    const listed = values.get("features") ?? refuse("missing_metadata");
    if (!new RegExp(`^${INTEGER}\\.${INTEGER}$`).test(version)) invalid();
    if (version.split(".")[0] !== "1") refuse("unsupported_version");
    if (!new RegExp(`^${LIST}$`).test(listed)) invalid();
    this.features = listed.split(" ").filter(Boolean);
    const bytes = this.features.map((feature) => Buffer.from(feature));
    if (bytes.some((feature, i) => i && Buffer.compare(bytes[i - 1], feature) >= 0)) invalid();
    if (this.features.some((feature) => feature !== "damped_mean")) refuse("unsupported_feature");
  }

  // Check the metadata by section 5.
  checkMetadata() {
    const values = this.metadata;
    const inconsistent = () => refuse("inconsistent_metadata");
    const invalid = () => refuse("invalid_metadata");
    const damped = values.get("pooling") === "damped_mean";
    const needed = damped ? [...NEEDED, ...DAMPING] : NEEDED;
    if (!needed.every((key) => values.has(key))) refuse("missing_metadata");
    const patterns = {
      dim: INTEGER,
      prefixes: `${INTEGER}(?: ${INTEGER})*`,
      normalize: "true|false",
      pooling: "mean|damped_mean",
      digest: "sha256:[0-9a-f]{64}",
      vectors_digest: "sha256:[0-9a-f]{64}",
      max_tokens: INTEGER,
      unknown_token_id: INTEGER,
      languages: LIST,
      ...(damped ? { damping_beta: NUMBER, damping_dims: INTEGER } : {}),
    };
    if (!damped && DAMPING.some((key) => values.has(key))) inconsistent();
    for (const [key, pattern] of Object.entries(patterns)) {
      if (values.has(key) && !new RegExp(`^(?:${pattern})$`).test(values.get(key))) invalid();
    }
    this.prefixes = values.get("prefixes").split(" ").map(Number);
    if (this.prefixes.some((p, i) => p < 1 || (i && this.prefixes[i - 1] >= p))) invalid();
    if (Number(values.get("dim")) !== this.dim || this.prefixes.at(-1) !== this.dim) inconsistent();
    if (this.features.includes("damped_mean") !== damped) inconsistent();
    const number = (key) => (values.has(key) ? Number(values.get(key)) : null);
    this.beta = number("damping_beta");
    this.dims = number("damping_dims");
    this.maxTokens = number("max_tokens");
    this.unknown = number("unknown_token_id");
    if (damped && (this.beta > 16 || this.dims < 1 || this.dims > this.dim)) invalid();
    if (this.maxTokens !== null && (this.maxTokens < 1 || this.maxTokens >= 2 ** 31)) invalid();
    if (this.unknown !== null && this.unknown >= this.tokenCount) invalid();
    this.prompts = parsePrompts(values.get("prompts") ?? "{}");
  }

  checkValues() {
    this.scale = this.values("scale");
    this.weights = this.values("weights");
    this.rows = this.values("rows")?.map(Number) ?? null;
    if (this.rows?.some((row) => row < 0 || row >= this.rowCount)) refuse("row_out_of_range");
    for (const values of [this.scale, this.weights]) {
      if (values && !values.every(Number.isFinite)) refuse("value_not_finite");
    }
    if (this.scale?.some((step) => step <= 0)) refuse("scale_not_positive");
  }

  tensorBytes(name) {
    const { begin, end } = this.tensors.get(name);
    return this.bytes(this.start + begin, end - begin);
  }

  values(name) {
    const entry = this.tensors.get(name);
    return entry ? numbers(this.tensorBytes(name), entry.dtype) : null;
  }

  // Make the deferred checks of section 3.
  verify() {
    if (this.tensors.get("embeddings").dtype !== "I8") {
      if (!this.values("embeddings").every(Number.isFinite)) refuse("value_not_finite");
    }
    const whole = this.bytes(0, fstatSync(this.handle).size);
    const digits = this.metadata.get("digest").slice(7);
    const head = whole.subarray(0, this.start);
    const found = head.indexOf(digits);
    if (found < 0 || head.indexOf(digits, found + 1) >= 0) refuse("digest_mismatch");
    whole.fill("0", found, found + 64);
    if (createHash("sha256").update(whole).digest("hex") !== digits) refuse("digest_mismatch");
    const sha = createHash("sha256").update("staticemb 1\n");
    for (const key of DECISIVE_KEYS) {
      if (this.metadata.has(key)) sha.update(`${key} ${this.metadata.get(key)}\n`);
    }
    for (const name of Object.keys(TENSORS).sort()) {
      const entry = this.tensors.get(name);
      if (!entry) continue;
      sha.update(`${[name, entry.dtype, ...entry.shape].join(" ")}\n`).update(this.tensorBytes(name));
    }
    const vectorsDigest = this.metadata.get("vectors_digest").slice(7);
    if (sha.digest("hex") !== vectorsDigest) refuse("vectors_digest_mismatch");
    checkTokenizer(this.tensorBytes("tokenizer"), this.tokenCount);
    if (this.tensors.has("pieces.definition") && !this.rightPieces()) this.refused.push("pieces");
    if (this.metadata.has("space") && this.space() === null) this.refused.push("space");
    for (const key of this.headNames) if (this.head(key.slice(5)) === null) this.refused.push(key);
  }

  // A part `head` (section 6.4); null if the file has none, or a malformed one.
  head(name) {
    if (!HEAD_KEY.test(`head.${name}`)) return null;
    const members = textsOf(this.metadata.get(`head.${name}`) ?? "");
    if (!members) return null;
    const among = (member, ...values) => values.includes(members.get(member));
    if (!among("kind", "softmax", "sigmoid", "linear") || !among("normalize", "true", "false")) return null;
    if (members.has("pooling") && !among("pooling", "mean", this.metadata.get("pooling"))) return null;
    if (members.has("temperature")) {
      const spelled = members.get("temperature");
      if (among("kind", "linear") || !new RegExp(`^${NUMBER}$`).test(spelled)) return null;
      if (Number(spelled) < 1e-6 || Number(spelled) > 1e6) return null;
    }
    if (Buffer.byteLength(members.get("prompt") ?? "") > MAX_PROMPT) return null;
    const entries = new Map();
    for (const [label, dtypes] of Object.entries(HEAD_TENSORS)) {
      const entry = this.tensors.get(`head.${name}.${label}`);
      if (!entry) continue;
      if (!dtypes.includes(entry.dtype)) return null;
      entries.set(label, entry);
    }
    const shaped = (label, ...shape) => entries.get(label)?.shape.join() === shape.join();
    const values = (label) => this.values(`head.${name}.${label}`);
    const layers = [];
    const deep = entries.has("hidden-weights");
    if (!deep && (entries.has("hidden-scale") || entries.has("hidden-bias"))) return null;
    let width = this.dim;
    for (const prefix of deep ? ["hidden-", ""] : [""]) {
      const entry = entries.get(`${prefix}weights`);
      if (entry?.shape.length !== 2 || entry.shape[0] > MAX_OUTPUTS) return null;
      const [count, columns] = entry.shape;
      if (columns > width || (layers.length && columns !== width)) return null;
      const quantized = entry.dtype === "I8";
      if (quantized !== entries.has(`${prefix}scale`)) return null;
      if (!shaped(`${prefix}bias`, count) || (quantized && !shaped(`${prefix}scale`, count))) return null;
      const scale = quantized ? values(`${prefix}scale`) : new Array(count).fill(1);
      const bias = values(`${prefix}bias`);
      const stored = values(`${prefix}weights`);
      const legal = (x) => Math.abs(x) <= 2 ** 30;
      if (!bias.every(legal) || !scale.every((x) => x > 0 && legal(x))) return null;
      if (!quantized && !stored.every(legal)) return null;
      const weights = stored.map((x, i) => scale[Math.floor(i / columns)] * x);
      layers.push({ columns, weights, bias });
      width = count;
    }
    if (among("kind", "softmax") && width < 2) return null;
    if (!shaped("label-ends", width)) return null;
    const ends = values("label-ends");
    const begins = [0, ...ends.slice(0, -1)];
    if (!ends.every((end, i) => end > begins[i] && end - begins[i] <= MAX_LABEL)) return null;
    if (!shaped("labels", ends.at(-1))) return null;
    const octets = this.tensorBytes(`head.${name}.labels`);
    let labels;
    try {
      labels = ends.map((end, i) => decode(octets.subarray(begins[i], end), "request_head_missing"));
    } catch {
      return null;
    }
    let thresholds = new Array(width).fill(0.5);
    if (entries.has("thresholds")) {
      if (!among("kind", "sigmoid") || !shaped("thresholds", width)) return null;
      thresholds = values("thresholds");
    }
    if (new Set(labels).size !== width || !thresholds.every((x) => x >= 0 && x <= 1)) return null;
    return { members, layers, labels, thresholds };
  }

  // The scores, or logits, and the answer of a head (section 6.4).
  classify(tokens, request) {
    const { members, layers, labels, thresholds } =
      this.head(request.head) ?? refuse("request_head_missing");
    let vector = this.embed(tokens, {
      dim: layers[0].columns,
      normalize: members.get("normalize") === "true",
      pooling: members.get("pooling") ?? this.metadata.get("pooling"),
    });
    layers.forEach(({ columns, weights, bias }, at) => {
      const read = at ? vector.map((x) => Math.max(0, x)) : vector;
      vector = bias.map((b, k) => read.reduce((sum, x, j) => sum + weights[k * columns + j] * x, b));
    });
    const kind = members.get("kind");
    if (kind === "linear") return { scores: vector, labels };
    const warmth = Number(members.get("temperature") ?? "1");
    const most = vector.reduce((a, b) => Math.max(a, b));
    const powers = vector.map((z) => Math.exp((z - most) / warmth));
    const total = powers.reduce((a, b) => a + b);
    const scores =
      kind === "softmax"
        ? powers.map((power) => power / total)
        : vector.map((z) => 1 / (1 + Math.exp(-z / warmth)));
    const largest = scores.reduce((a, b) => Math.max(a, b));
    const answer =
      kind === "softmax"
        ? [labels[scores.indexOf(largest)]]
        : labels.filter((_, k) => scores[k] > thresholds[k]);
    return { scores: request.output === "logits" ? vector : scores, labels: answer };
  }

  // The part `space` (section 6.3); null if the file has none, or a malformed one.
  space() {
    const members = textsOf(this.metadata.get("space") ?? "");
    if (!members?.get("teacher")) return null;
    const documents = members.get("documents");
    if (documents !== "table" && documents !== "teacher") return null;
    const spelled = members.get("dimension") ?? "";
    const height = Number(spelled);
    if (!new RegExp(`^${INTEGER}$`).test(spelled) || height < 1 || height > 65536) return null;
    const shapes = { projection: [height, this.dim], offset: [height], probes: [8, height] };
    const values = {};
    for (const [label, shape] of Object.entries(shapes)) {
      const entry = this.tensors.get(`space.${label}`);
      if (!entry) continue;
      if (entry.dtype !== "F32" || entry.shape.join() !== shape.join()) return null;
      values[label] = this.values(`space.${label}`);
    }
    const { projection, offset = new Array(height).fill(0), probes = [] } = values;
    const legal = (x) => x === 0 || (Math.abs(x) >= 2 ** -60 && Math.abs(x) <= 2 ** 60);
    if (!projection?.some((x) => x !== 0) || !projection.every(legal)) return null;
    if (!offset.every((x) => Math.abs(x) <= 1)) return null;
    for (let at = 0; at < probes.length; at += height) {
      const length = norm(probes.slice(at, at + height));
      if (!(Math.abs(length - 1) <= 1e-3)) return null;
    }
    return { height, documents, projection, offset };
  }

  // Turn a vector of the teacher into a vector of the file (section 6.3).
  project(vector, request) {
    const space = this.space() ?? refuse("request_space_missing");
    if (vector.length !== space.height || !vector.every(Number.isFinite)) {
      refuse("request_vector_invalid");
    }
    const length = request.dim ?? this.dim;
    if (!(length >= 1 && length <= this.dim)) refuse("request_dim_out_of_range");
    const projected = new Array(length).fill(0);
    const size = norm(vector);
    if (size === 0) return projected;
    for (const [i, y] of vector.entries()) {
      const u = y / size - space.offset[i];
      for (let j = 0; j < length; j += 1) projected[j] += u * space.projection[i * this.dim + j];
    }
    const long = norm(projected);
    const normalize = request.normalize ?? this.metadata.get("normalize") === "true";
    return normalize && long > 0 ? projected.map((x) => x / long) : projected;
  }

  // The part `pieces`, computed from the tokenizer (section 6.2).
  rightPieces() {
    const dtypes = { definition: "U8", text: "U8", ends: "U32", scores: "F64", slots: "U64" };
    const right = ([label, dtype]) => {
      const entry = this.tensors.get(`pieces.${label}`);
      return entry?.dtype === dtype && entry.shape.length === 1;
    };
    if (!Object.entries(dtypes).every(right)) return false;
    const members = spelledJson(this.tensorBytes("tokenizer"));
    const { vocab } = members.model;
    if (!Array.isArray(vocab) || vocab.length >= 2 ** 24) return false;
    const isPair = (item) =>
      Array.isArray(item) && item.length === 2 && item.every((each) => typeof each === "string") &&
      item[0][0] === "=" && item[1][0] === "#" && !LONE_SURROGATE.test(item[0]);
    if (!vocab.every(isPair)) return false;
    const pieces = vocab.map(([piece]) => Buffer.from(text(piece)));
    if (pieces.some((piece) => piece.length > 255)) return false;
    if (this.tensors.get("pieces.definition").shape[0] > 2 ** 24) return false;
    members.model.vocab = [];
    try {
      const given = spelledJson(this.tensorBytes("pieces.definition"));
      if (canonical(given) !== canonical(members)) return false;
    } catch {
      return false;
    }
    const ends = Buffer.alloc(4 * pieces.length);
    const scores = Buffer.alloc(8 * pieces.length);
    let end = 0;
    for (const [i, piece] of pieces.entries()) {
      end += piece.length;
      ends.writeUInt32LE(end, 4 * i);
      const value = score(vocab[i][1].slice(1));
      if (!Number.isFinite(value)) return false;
      scores.writeDoubleLE(value, 8 * i);
    }
    const slots = hashTable(pieces);
    if (slots === null) return false;
    const expected = { text: Buffer.concat(pieces), ends, scores, slots };
    return Object.entries(expected).every(([label, data]) =>
      data.equals(this.tensorBytes(`pieces.${label}`)),
    );
  }

  // Compute stage 4 of section 8.
  row(token) {
    const { dtype, begin, itemBytes } = this.tensors.get("embeddings");
    const row = this.rows ? this.rows[token] : token;
    const length = this.dim * itemBytes;
    const stored = numbers(this.bytes(this.start + begin + row * length, length), dtype);
    const weight = this.weights ? this.weights[token] : 1;
    return stored.map((x, j) => weight * ((this.scale ? this.scale[j] : 1) * x));
  }

  // Compute stages 2 to 7 of section 8.
  embed(tokens, request) {
    const length = request.dim ?? this.dim;
    if (!(length >= 1 && length <= this.dim)) refuse("request_dim_out_of_range");
    if (!tokens.every((t) => t >= 0 && t < this.tokenCount)) refuse("request_token_out_of_range");
    if (request.kind === "document" && this.space()?.documents === "teacher") {
      refuse("request_query_only");
    }
    const kept = tokens.filter((t) => t !== this.unknown).slice(0, this.maxTokens ?? undefined);
    const vector = new Array(length).fill(0);
    if (!kept.length) return vector;
    const table = new Map();
    for (const t of kept) if (!table.has(t)) table.set(t, this.row(t));
    const damped = (request.pooling ?? this.metadata.get("pooling")) === "damped_mean";
    const factors = damped ? this.damping(table, kept) : new Map();
    let total = 0;
    for (const t of kept) {
      const factor = factors.get(t) ?? 1;
      const row = table.get(t);
      total += factor;
      for (let j = 0; j < length; j += 1) vector[j] += factor * row[j];
    }
    const pooled = vector.map((x) => x / total);
    const norm = Math.hypot(...pooled);
    const normalize = request.normalize ?? this.metadata.get("normalize") === "true";
    return normalize && norm > 0 ? pooled.map((x) => x / norm) : pooled;
  }

  damping(table, kept) {
    const mean = new Array(this.dims).fill(0);
    for (const t of kept) {
      const row = table.get(t);
      for (let j = 0; j < this.dims; j += 1) mean[j] += row[j] / kept.length;
    }
    const size = Math.hypot(...mean);
    const factors = new Map();
    for (const [t, row] of table) {
      const head = row.slice(0, this.dims);
      const length = Math.hypot(...head);
      let cosine = 0;
      if (size > 0 && length > 0) {
        head.forEach((x, j) => (cosine += (x / length) * (mean[j] / size)));
      }
      factors.set(t, Math.exp(-this.beta * cosine));
    }
    return factors;
  }

  parts() {
    const values = this.metadata;
    const strings = [...values].filter(([key]) => STRINGS.includes(key) || key.startsWith("x-"));
    const described = [...this.tensors].map(([name, { dtype, shape }]) => {
      const sha256 = createHash("sha256").update(this.tensorBytes(name)).digest("hex");
      return [name, { dtype, shape, sha256 }];
    });
    const tensors = described.filter(([name]) => Object.hasOwn(TENSORS, name));
    const optional = described.filter(([name]) => !Object.hasOwn(TENSORS, name));
    return {
      format_version: values.get("format_version"),
      features: this.features,
      dim: this.dim,
      prefixes: this.prefixes,
      normalize: values.get("normalize") === "true",
      pooling: values.get("pooling"),
      damping_beta: this.beta,
      damping_dims: this.dims,
      max_tokens: this.maxTokens,
      unknown_token_id: this.unknown,
      strings: Object.fromEntries(strings),
      prompts: Object.fromEntries(this.prompts),
      tensors: Object.fromEntries(tensors),
      optional: Object.fromEntries(optional),
      ...(this.refused ? { refused: this.refused } : {}),
    };
  }
}

// Parse texts by name (section 5); null if they are spelled another way.
function textsOf(text) {
  let texts;
  try {
    texts = parseObject(text);
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
  if (![...texts.values()].every((each) => typeof each === "string")) return null;
  const spelled = [...texts].map((pair) => pair.map((each) => JSON.stringify(each)).join(":"));
  if (`{${spelled.join(",")}}` !== text) return null;
  const names = [...texts.keys()].map((name) => Buffer.from(name));
  const ascending = names.every((name, i) => !i || Buffer.compare(names[i - 1], name) < 0);
  return ascending ? texts : null;
}

// Parse the prompts (section 5).
function parsePrompts(text) {
  const invalid = () => refuse("invalid_metadata");
  const prompts = textsOf(text) ?? invalid();
  if (prompts.size > MAX_PROMPTS) invalid();
  const names = [...prompts.keys()].map((name) => Buffer.from(name));
  if (names.some(({ length }) => length < 1 || length > MAX_PROMPT_NAME)) invalid();
  if ([...prompts.values()].some((each) => Buffer.byteLength(each) > MAX_PROMPT)) invalid();
  return prompts;
}

// Check one tensor's entry by sections 4, 6 and 6.1.
function checkEntry(name, entry) {
  const bad = () => refuse("invalid_tensor_entry");
  const known = Object.hasOwn(TENSORS, name);
  if (!known && !OPTIONAL_NAME.test(name)) refuse("unknown_tensor");
  if (!(entry instanceof Map) || entry.size !== 3) bad();
  const dtype = entry.get("dtype");
  if (typeof dtype !== "string") bad();
  const shape = integers(entry.get("shape"));
  const offsets = integers(entry.get("data_offsets"));
  if (offsets.length !== 2) bad();
  const { dtypes, limits } = known ? TENSORS[name] : { dtypes: Object.keys(ITEM_BYTES) };
  if (!dtypes.includes(dtype)) refuse("wrong_dtype");
  if (known ? shape.length !== limits.length : shape.length < 1 || shape.length > 4) {
    refuse("wrong_shape");
  }
  if (shape.includes(0)) refuse("wrong_shape");
  if (known && shape.some((length, axis) => length > limits[axis])) refuse("limit_exceeded");
  const itemBytes = ITEM_BYTES[dtype];
  // The product is exact below 2^53. A rounded product above is no file's length either.
  const size = shape.reduce((product, length) => product * length, itemBytes);
  return { dtype, shape, begin: offsets[0], end: offsets[1], itemBytes, size };
}

// Check a tokenizer by section 7.
function checkTokenizer(bytes, tokenCount) {
  const invalid = () => refuse("tokenizer_invalid");
  const text = decode(bytes, "tokenizer_not_utf8");
  let members;
  try {
    JSON.parse(text);
    // An id must be spelled as an integer, but JSON.parse reads 1.0 as 1. So other numbers become null.
    const number = /"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*/g;
    const whole = /^(?:"|0$|-?[1-9][0-9]*$)/;
    members = JSON.parse(text.replace(number, (found) => (whole.test(found) ? found : "null")));
  } catch {
    refuse("tokenizer_not_json");
  }
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  if (!isObject(members)) refuse("tokenizer_not_json");
  const { model } = members;
  const added = members.added_tokens ?? [];
  if (!isObject(model) || !Array.isArray(added) || !added.every(isObject)) invalid();
  const ids = added.map((token) => token.id);
  const type = modelType(model);
  if (type === "Unigram") {
    if (!Array.isArray(model.vocab)) invalid();
    ids.push(Math.max(0, model.vocab.length - 1));
  } else if (["WordPiece", "BPE", "WordLevel"].includes(type)) {
    if (!isObject(model.vocab)) invalid();
    for (const id of Object.values(model.vocab)) ids.push(id);
  } else invalid();
  if (!ids.every(Number.isInteger)) invalid();
  if (!ids.every((id) => id >= 0 && id < tokenCount)) refuse("token_id_out_of_range");
  const { unk_id: unknown, unk_token: token } = model;
  if (type === "Unigram") {
    if (!Number.isInteger(unknown) || unknown < 0 || unknown >= model.vocab.length) invalid();
  } else if (type !== "BPE" && (typeof token !== "string" || !Object.hasOwn(model.vocab, token))) {
    invalid();
  }
}

// Return a model's type; if the type is missing, infer it from the other members.
function modelType(model) {
  if (Object.hasOwn(model, "type")) return model.type;
  const has = (...names) => names.every((name) => Object.hasOwn(model, name));
  if (Array.isArray(model.vocab)) return "Unigram";
  if (has("merges")) return "BPE";
  if (!has("unk_token")) return undefined;
  return has("continuing_subword_prefix", "max_input_chars_per_word") ? "WordPiece" : "WordLevel";
}

// JSON whose strings begin with "=" and whose numbers are strings that begin with "#".
function spelledJson(bytes) {
  const text = decode(bytes, "tokenizer_not_utf8");
  JSON.parse(text);
  const token = /"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*/g;
  const spelled = (found) => (found[0] === '"' ? `"=${found.slice(1)}` : `"#${found}"`);
  return unmarked(JSON.parse(text.replace(token, spelled)));
}

// Member names lose their "=".
function unmarked(value) {
  if (Array.isArray(value)) return value.map(unmarked);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([key, item]) => [text(key), unmarked(item)]);
  return Object.assign(Object.create(null), Object.fromEntries(members));
}

function text(marked) {
  return marked.slice(1);
}

// One spelling for equal values: members by name, numbers as binary64 values.
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value === "string") return value[0] === "#" ? `${Number(text(value)) + 0}` : JSON.stringify(value);
  if (typeof value !== "object" || value === null) return String(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

// A score from its spelling (section 6.2).
function score(number) {
  const [, sign, whole, point = "", exponent = "0"] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(number);
  const digits = [...whole, ...point];
  let n = 0n;
  let read = 0;
  while (read < digits.length && n * 10n + BigInt(digits[read]) < 2n ** 64n) {
    n = n * 10n + BigInt(digits[read]);
    read += 1;
  }
  let e = Number(exponent) + (whole.length - read);
  let value = Number(n);
  for (; e < -308 && value !== 0; e += 308) value /= 1e308;
  if (value !== 0) value = e >= 0 ? value * Number(`1e${e}`) : value / Number(`1e${-e}`);
  return sign ? -value : value;
}

// The hash table from piece to id; null if an entry stands too far from its home.
function hashTable(pieces) {
  const wrap = (value) => BigInt.asUintN(64, value);
  const last = new Map(pieces.map((piece, id) => [piece.toString("hex"), id]));
  last.delete("");
  const entries = [...last.values()].map((id) => {
    let h = 0n;
    for (const byte of pieces[id]) h = wrap(h * 0x9e3779b97f4a7c15n + BigInt(byte) + 1n);
    return { id, t: wrap((h ^ (h >> 32n)) * 0xbf58476d1ce4e5b9n) };
  });
  let bits = 0;
  while (2 ** bits < 2 * entries.length) bits += 1;
  const table = Buffer.alloc(8 * (2 ** bits + 64));
  entries.sort((a, b) => (a.t < b.t ? -1 : a.t > b.t ? 1 : a.id - b.id));
  let place = -1;
  for (const { id, t } of entries) {
    const home = Number(t >> BigInt(64 - bits));
    place = Math.max(home, place + 1);
    if (place - home > 63) return null;
    table.writeBigUInt64LE(((t >> 24n) << 24n) | BigInt(id + 1), 8 * place);
  }
  return table;
}

function numbers(bytes, dtype) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const readers = {
    F32: (at) => view.getFloat32(at, true),
    F16: (at) => binary16(view.getUint16(at, true)),
    I8: (at) => view.getInt8(at),
    U16: (at) => view.getUint16(at, true),
    U32: (at) => view.getUint32(at, true),
    I64: (at) => view.getBigInt64(at, true),
  };
  const size = ITEM_BYTES[dtype];
  return Array.from({ length: bytes.length / size }, (_, i) => readers[dtype](i * size));
}

// The length of a vector; Math.hypot takes too many arguments for the longest vectors.
function norm(vector) {
  const largest = vector.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  if (!(largest > 0)) return largest;
  return largest * Math.sqrt(vector.reduce((sum, x) => sum + (x / largest) ** 2, 0));
}

function binary16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function hex(vector) {
  const buffer = Buffer.alloc(4 * vector.length);
  vector.forEach((x, j) => buffer.writeFloatLE(Math.fround(x), 4 * j));
  return buffer.toString("hex");
}

// Compute the answer to a message of the protocol (README.md).
function answer(message) {
  if (message.op === "start") {
    const classes = ["reader", "pooler", "projector", "classifier"];
    return { protocol: 1, implementation: "minimal.mjs", classes };
  }
  const { id } = message;
  let file;
  try {
    file = new StaticFile(message.file);
    if (message.class === "reader") {
      if (message.verify) file.verify();
      return { id, result: { parts: file.parts() } };
    }
    if (message.vector !== undefined) {
      const vector = numbers(Buffer.from(message.vector, "hex"), "F32");
      return { id, result: { vector: hex(file.project(vector, message.request)) } };
    }
    if (message.class === "classifier") {
      const { scores, labels } = file.classify(message.tokens, message.request);
      return { id, result: { vector: hex(scores), labels } };
    }
    if (message.class === "pooler" || message.class === "projector") {
      return { id, result: { vector: hex(file.embed(message.tokens, message.request)) } };
    }
    return { id, skipped: { why: `no class ${message.class}` } };
  } catch (error) {
    if (error instanceof Refused) return { id, rejected: { code: error.message } };
    return { id, errored: { why: String(error) } };
  } finally {
    file?.close();
  }
}

const lines = createInterface({ input: process.stdin });
for await (const line of lines) {
  const message = JSON.parse(line);
  if (message.op === "stop") break;
  process.stdout.write(`${JSON.stringify(answer(message))}\n`);
}
