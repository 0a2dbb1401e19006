/** A sample of `npm run chaos`: killed where most would be lost, or done twice. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { useS3Server } from "../support/s3-servers.ts";
import { majorsAvailable, useServer } from "../support/servers.ts";
import type { KillPoint } from "./kill-points.ts";
import { inBuckets, inDatabases, inFiles } from "./lab-places.ts";
import { Lab } from "./lab.ts";
import { scenarios } from "./scenarios.ts";
import { tryKillPoint } from "./try-kill-point.ts";

const server = await useServer((await majorsAvailable()).at(-1) ?? 0);
const buckets = inBuckets(await useS3Server("versitygw"));

/** Scenario, who dies, where. */
type Case = readonly [string, string, KillPoint];

const at = (process: string, when: KillPoint["when"], call: string, count: number): KillPoint => ({
  process,
  call,
  count,
  when,
});

const inFolders: readonly Case[] = [
  ["backup", "the engine, with a worker that it has not noted", at("engine", "after", "launcher.launch", 2)],
  ["backup", "the seal, once it has committed", at("seal-backup", "after", "store.createIfAbsent", 1)],
  [
    "backup",
    "the worker of the files, while that of the database runs",
    at("backup-files", "before", "task", 1),
  ],
  ["backup", "the engine, before it records the end", at("engine", "before", "catalog.finishOperation", 1)],
  ["restore", "the swap, between two names", at("swap-database", "after", "sql ALTER DATABASE", 3)],
  ["restore", "the engine, after its plan", at("engine", "after", "catalog.putRestore", 2)],
  ["undo", "files, half put back", at("undo-restore", "after", "target.writeFile", 1)],
  ["delete", "half deleted", at("delete-backup", "after", "store.delete", 3)],
];

const onServers: readonly Case[] = [
  ["backup", "the engine, with a task that it has not begun", at("engine", "after", "catalog.startTask", 2)],
  [
    "backup",
    "the worker of the files, with an upload that nobody completes",
    at("backup-files", "before", "s3 CompleteMultipartUpload", 1),
  ],
  ["restore", "the engine, after its plan", at("engine", "after", "catalog.putRestore", 2)],
  ["delete", "half deleted", at("delete-backup", "after", "store.delete", 3)],
];

describe.each([
  { where: "a file and a folder", places: inFiles, cases: inFolders },
  {
    where: "a database and a bucket",
    places: { catalogs: inDatabases(server), repositories: buckets },
    cases: onServers,
  },
])("with catalog and repository in $where", ({ places, cases }) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await Lab.open(server, places);
  });
  afterAll(async () => await lab?.[Symbol.asyncDispose]());

  it.each(cases)("a %s recovers from the death of %s", async (name, _what, point) => {
    const scenario = scenarios.find((one) => one.name === name);
    if (scenario === undefined) throw new Error(`no scenario ${name}`);
    const tried = await tryKillPoint(lab, scenario, point, `sample-${Math.random().toString(36).slice(2)}`);
    expect(tried.problems).toEqual([]);
    expect(tried.reached).toBe(true);
  });
});
