/**
 * The product's worker with kill points around all that its task does to the outside: object store, key service,
 * statements of databases, programs it starts, and changes of a target of files. Its argument is its task's kind, when known.
 */
import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";
import pg from "pg";
import type { TaskKind, TaskOf } from "../../src/contract/worker-task.ts";
import { isBucketUrl } from "../../src/core/files/bucket-url.ts";
import { probePrefix } from "../../src/core/repository/layout.ts";
import type { ObjectStore, ObjectWriter } from "../../src/core/ports/object-store.ts";
import { KeyfileService } from "../../src/keys/keyfile/keyfile-service.ts";
import { openStore } from "../../src/main/open-store.ts";
import { openFolderTarget } from "../../src/stores/filesystem/folder-target.ts";
import { runTask } from "../../src/worker/run-task.ts";
import type { TaskRun } from "../../src/worker/task.ts";
import { runWorkerProcess } from "../../src/worker/worker-process.ts";
import { KillPoints, readKillOrder } from "./kill-points.ts";

let points = new KillPoints("worker", readKillOrder());
let pointedRequests: Promise<void> | undefined;

pointAtStatements();
pointAtPrograms();
pointAtFolderTargets();

await runWorkerProcess({
  runTask: async <K extends TaskKind>(kind: K, task: TaskOf<K>, run: TaskRun) => {
    points = new KillPoints(kind, readKillOrder());
    const pointed: TaskRun = {
      ...run,
      store: wrapStore(run.store),
      openStore: async (url) => wrapStore(await run.openStore(url)),
      keys: points.wrap("keys", run.keys, () => true),
    };
    return await points.around("task", () => runTask(kind, task, pointed));
  },
  openStore: async (url, options) => {
    if (isBucketUrl(url)) await (pointedRequests ??= pointAtRequests());
    return await openStore(url, options);
  },
  openKeys: async (directory) => new KeyfileService(directory),
  env: process.env,
});

/** Lists and reads are left out but `head`: between two of them nothing of the world changes. */
function wrapStore(store: ObjectStore): ObjectStore {
  const counted = new Set(["createPlace", "head", "createIfAbsent", "replace", "delete"]);
  const wrapped = points.wrap("store", store, (method) => counted.has(method));
  return new Proxy(wrapped, {
    get: (inner, member) =>
      member === "write"
        ? async (name: string): Promise<ObjectWriter> => {
            const writer = await points.around("store.write", () => store.write(name));
            return points.wrap("writer", writer, (method) => method === "commit" || method === "abort");
          }
        : (Reflect.get(inner, member) as unknown),
  });
}

/**
 * Changes of a bucket of which one call of the store makes several: those for a large object, and for what is tried
 * out. Loaded only where there is a bucket.
 */
async function pointAtRequests(): Promise<void> {
  const { S3Client } = await import("@aws-sdk/client-s3");
  const prototype = S3Client.prototype as { send: (...parameters: object[]) => unknown };
  const { send } = prototype;
  prototype.send = function pointed(this: unknown, ...parameters: object[]): unknown {
    const make = () => Reflect.apply(send, this, parameters);
    const request = parameters[0] ?? {};
    return isOneOfSeveral(request) ? points.around(`s3 ${nameOf(request)}`, make) : make();
  };
}

function nameOf(request: object): string {
  return request.constructor.name.replace("Command", "");
}

function isOneOfSeveral(request: object): boolean {
  const { Key = "" } = (request as { input?: { Key?: string } }).input ?? {};
  const isTried = /^(?:Put|Delete)/.test(nameOf(request)) && Key.startsWith(probePrefix);
  return isTried || /^(?:Create|Complete|Abort)MultipartUpload$|^UploadPart/.test(nameOf(request));
}

/** All that goes through `pg`: probes, locks, snapshots, the swap. Named by the statement's first words. */
function pointAtStatements(): void {
  const prototype = pg.Client.prototype as { query: (...parameters: unknown[]) => unknown };
  const { query } = prototype;
  prototype.query = function pointed(this: unknown, ...parameters: unknown[]): unknown {
    return points.around(`sql ${firstWords(parameters[0])}`, () => Reflect.apply(query, this, parameters));
  };
}

function firstWords(statement: unknown): string {
  const text = typeof statement === "string" ? statement : (statement as { text?: string }).text;
  return (text ?? "cursor")
    .trim()
    .split(/[\s(;]+/)
    .slice(0, 2)
    .join(" ")
    .toUpperCase();
}

/** `pg_dump`, `pg_restore` and what else is started. */
function pointAtPrograms(): void {
  const { spawn } = childProcess;
  const pointed = (...parameters: Parameters<typeof spawn>) =>
    points.around(`run ${parameters[0].split("/").at(-1) ?? ""}`, () => spawn(...parameters));
  childProcess.spawn = pointed as typeof spawn;
  syncBuiltinESMExports();
}

function pointAtFolderTargets(): void {
  const changes = [
    "create",
    "writeFile",
    "writeSymlink",
    "makeFolder",
    "setFacts",
    "remove",
    "sync",
  ] as const;
  const any = openFolderTarget(pathToFileURL(tmpdir()).href, "lc2-none");
  const prototype = Object.getPrototypeOf(any) as Record<string, (...parameters: unknown[]) => unknown>;
  for (const name of changes) {
    const method = prototype[name];
    if (method === undefined) throw new Error(`A folder's target has no ${name}.`);
    prototype[name] = function pointed(this: unknown, ...parameters: unknown[]): unknown {
      return points.around(`target.${name}`, () => Reflect.apply(method, this, parameters));
    };
  }
}
