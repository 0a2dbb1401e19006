import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { cruiseTree } from "./cruise-tree.ts";
import { layerRules } from "./layer-rules.ts";

/** Every file of a small tree, and what it imports. Each rule is broken where the table below says. */
const sources: Readonly<Record<string, string>> = {
  "package.json": '{ "name": "seeded", "type": "module", "dependencies": { "listed": "1.0.0" } }',
  "node_modules/listed/package.json": '{ "name": "listed", "version": "1.0.0", "exports": "./main.js" }',
  "node_modules/listed/main.js": "export const listed = 1;",
  "node_modules/stray/package.json": '{ "name": "stray", "version": "1.0.0", "exports": "./main.js" }',
  "node_modules/stray/main.js": "export const stray = 1;",

  "src/core/decide.ts": "export const decide = 1;",
  "src/core/failure.ts": "export const failure = 1;",
  "src/core/reads-a-file.ts": 'import { readFile } from "node:fs/promises"; export const a = readFile;',
  "src/core/names-an-edge.ts": 'import type { read } from "../stores/read.ts"; export type A = typeof read;',
  "src/core/decide.test.ts": 'import "node:net"; import "./decide.ts";',
  "src/contract/shape.ts": 'import { decide } from "../core/decide.ts"; export const shape = decide;',
  "src/contract/knows-a-store.ts": 'import { read } from "../stores/read.ts"; export const a = read;',
  "src/stores/read.ts": 'import { decide } from "../core/decide.ts"; export const read = decide;',
  "src/stores/asks-a-database.ts": 'import { dump } from "../databases/dump.ts"; export const a = dump;',
  "src/stores/uses-stray.ts": 'import { stray } from "stray"; export const a = stray;',
  "src/stores/uses-nothing.ts": 'import { gone } from "./gone.ts"; export const a = gone;',
  "src/databases/dump.ts": 'import { listed } from "listed"; export const dump = listed;',
  "src/databases/asks-a-key.ts":
    'export async function a() { await using key = (await import("../keys/unwrap.ts")).unwrap(); return key; }',
  "src/keys/unwrap.ts": "export const unwrap = () => ({ async [Symbol.asyncDispose]() {} });",
  "src/databases/knows-main.ts": 'import { wiring } from "../main/wiring.ts"; export const a = wiring;',
  "src/databases/uses-a-test.ts":
    'import { support } from "../../test/support.ts"; export const a = support;',
  "src/databases/round-a.ts": 'import { b } from "./round-b.ts"; export const a = () => b;',
  "src/databases/round-b.ts": 'import { a } from "./round-a.ts"; export const b = () => a;',
  "src/catalog/index.ts": 'export { rows } from "./rows.ts";',
  "src/catalog/rows.ts": "export const rows = 1;",
  "src/postgres/connect.ts": "export const connect = 1;",
  "src/catalog/connects.ts": 'import { connect } from "../postgres/connect.ts"; export const a = connect;',
  "src/keys/connects.ts": 'import { connect } from "../postgres/connect.ts"; export const a = connect;',
  "src/catalog/uses-the-barrel.ts": 'import { rows } from "./index.ts"; export const a = rows;',
  "src/worker/asks-a-catalog.ts": 'import { rows } from "../catalog/rows.ts"; export const a = rows;',
  "src/worker/pipeline.ts": 'import { read } from "../stores/read.ts"; export const pipeline = read;',
  "src/cli/print.ts": 'import { shape } from "../contract/shape.ts"; export const print = shape;',
  "src/cli/decides-itself.ts": 'import { decide } from "../core/decide.ts"; export const a = decide;',
  "src/cli/takes-a-shape.ts":
    'import type { decide } from "../core/decide.ts"; export type A = typeof decide;',
  "src/cli/opens-a-store.ts": 'import { read } from "../stores/read.ts"; export const a = read;',
  "src/main/wiring.ts": 'import { pipeline } from "../worker/pipeline.ts"; export const wiring = pipeline;',
  "src/main/cli.ts": 'import { wiring } from "./wiring.ts"; export const a = wiring;',
  "src/main/worker.ts": 'import { pipeline } from "../worker/pipeline.ts"; export const a = pipeline;',
  "test/support.ts": "export const support = 1;",
};

const expected = [
  "clients-speak-http: src/cli/decides-itself.ts",
  "clients-speak-http: src/cli/opens-a-store.ts",
  "contract-imports-only-core: src/contract/knows-a-store.ts",
  "core-imports-only-core: src/core/decide.test.ts",
  "core-imports-only-core: src/core/names-an-edge.ts",
  "core-imports-only-core: src/core/reads-a-file.ts",
  "edges-do-not-meet: src/cli/opens-a-store.ts",
  "edges-do-not-meet: src/databases/asks-a-key.ts",
  "edges-do-not-meet: src/keys/connects.ts",
  "edges-do-not-meet: src/stores/asks-a-database.ts",
  "edges-do-not-meet: src/worker/asks-a-catalog.ts",
  "imports-resolve: src/stores/uses-nothing.ts",
  "no-barrels: src/catalog/uses-the-barrel.ts",
  "no-cycles: src/databases/round-a.ts",
  "no-tests-in-the-product: src/databases/uses-a-test.ts",
  "no-unlisted-packages: src/stores/uses-stray.ts",
  "only-main-wires: src/databases/knows-main.ts",
  "operator-never-streams: src/main/cli.ts",
];

let root: string;
let found: readonly string[];
let modules: number;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "lc2-layers-"));
  for (const [path, content] of Object.entries(sources)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  const result = await cruiseTree(root);
  found = [...new Set(result.violations.map(({ rule, from }) => `${rule}: ${from}`))].toSorted();
  modules = result.modules;
});

afterAll(() => rm(root, { recursive: true, force: true }));

test("each planted violation is found, and nothing else", () => {
  expect(found).toEqual(expected);
});

test("every rule has a planted violation", () => {
  const bitten = new Set(expected.map((line) => line.split(":")[0]));
  expect(layerRules.filter(({ name }) => !bitten.has(name ?? "")).map(({ name }) => name)).toEqual([]);
});

test("the sources are found, with or without imports", () => {
  expect(modules).toBeGreaterThanOrEqual(Object.keys(sources).filter((path) => path.endsWith(".ts")).length);
});
