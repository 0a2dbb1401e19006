/** What people defined outlives the machine: it is in the repository, and a scan brings it back. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { startLc2Server } from "../support/lc2-server.ts";
import { until } from "../support/until.ts";

let machine: CommandLine;
let saved: string;
beforeEach(async () => {
  machine = await openCommandLine();
  saved = join(machine.repository, "projects/retail/definitions");
  await mkdir(join(machine.folder, "files"));
  await writeFile(join(machine.folder, "files/page.html"), "page");
});
afterEach(async () => {
  await machine[Symbol.asyncDispose]();
});

const project = ["--project", "retail"];
const run = async (...words: string[]) => {
  const result = await machine.run(words);
  expect(result.code, result.stderr).toBe(0);
  return result;
};
const define = async () => {
  await run("project", "create", "retail", "--repository", machine.repository, "--tz", "Europe/Berlin");
  const places = ["--files", join(machine.folder, "files"), "--database", "postgres://lc2@db/a"];
  await run("environment", "create", "prod", ...project, ...places, "--password", "env:PROD_DB");
};
const backUp = async () =>
  await run("backup", "create", ...project, "--environment", "prod", "--only", "storage");
const savedText = async (): Promise<string> => {
  const names = await readdir(saved);
  expect(names).toHaveLength(1);
  return await readFile(join(saved, String(names[0])), "utf8");
};
/** A new machine with nothing but the key and the repository. */
const scanElsewhere = async (other: CommandLine) => {
  const key = join(machine.folder, "retail.key");
  await writeFile(key, (await run("key", "export", ...project)).stdout);
  expect((await other.run(["key", "import", key])).code).toBe(0);
  return await other.run(["repository", "scan", machine.repository]);
};

describe("what is defined in a project", () => {
  test("is saved with its first backup, and a scan brings it into an empty catalog as it was", async () => {
    await define();
    await backUp();
    await run("environment", "create", "old", ...project, "--files", "/srv/old");
    await run("environment", "delete", "old", ...project);
    await using other = await openCommandLine();
    const scan = await scanElsewhere(other);
    expect(scan.stdout).toContain("brought back: environment retail/prod, project retail");
    for (const words of [
      ["environment", "list", ...project],
      ["project", "get", "retail"],
    ])
      expect(await other.json(words)).toEqual(await machine.json(words));
    const list = ["backup", "list", ...project, "--environment", "prod"];
    expect((await other.json(list))["total"]).toBe(1);
    // Again nothing is new.
    expect((await scanElsewhere(other)).stdout).not.toContain("brought back");
  });

  test("is one file after each change, with references to secrets and no secret", async () => {
    await define();
    await backUp();
    expect(await savedText()).toContain("env:PROD_DB");
    await run("environment", "create", "staging", ...project, "--files", "/srv/staging");
    expect(await savedText()).toContain("/srv/staging");
    const check = await machine.json(["repository", "check", machine.repository]);
    expect([check["damages"], check["leftovers"]]).toEqual([[], []]);
    await run("repository", "sweep", machine.repository, "--min-age", "0s");
    expect(await savedText()).toContain("/srv/staging");
    await run("key", "rotate", ...project, "--repository", machine.repository);
    await using other = await openCommandLine();
    expect((await scanElsewhere(other)).stdout).toContain("environment retail/staging");
  });

  test("does not write over what was changed later here", async () => {
    await define();
    await backUp();
    await using other = await openCommandLine();
    await other.json(["environment", "create", "prod", ...project, "--files", "/srv/newer"]);
    const scan = await scanElsewhere(other);
    expect(scan.stdout).toContain("brought back: project retail");
    const { storages } = await other.json(["environment", "get", "prod", ...project]);
    expect(storages).toEqual([{ name: "main", url: "file:///srv/newer" }]);
  });

  test("is left out where the file was changed by others, and needs the key", async () => {
    await define();
    await backUp();
    const [name] = await readdir(saved);
    const text = await savedText();
    await writeFile(join(saved, String(name)), text.replace("postgres://lc2@db/a", "postgres://lc2@evil/a"));
    await using other = await openCommandLine();
    const without = await other.run(["repository", "scan", machine.repository]);
    expect(without.stdout).toContain("What is defined in project retail needs its key");
    const scan = await scanElsewhere(other);
    expect(scan.stdout).toContain("its signature does not fit");
    expect((await other.run(["environment", "get", "prod", ...project])).code).toBe(4);
  });

  test("is saved later where the repository is away, by a server that looks after it", async () => {
    await define();
    await backUp();
    const away = `${machine.repository}-away`;
    await rename(machine.repository, away);
    await writeFile(machine.repository, "no folder");
    const changed = await run("environment", "create", "staging", ...project, "--files", "/srv/staging");
    expect(changed.stderr).toContain("could not be saved in its repository yet");
    await rm(machine.repository);
    await rename(away, machine.repository);
    expect(await savedText()).not.toContain("/srv/staging");
    const server = await startLc2Server(machine);
    try {
      await until("it is saved", async () =>
        (await readdirTexts()).some((text) => text.includes("/srv/staging")),
      );
    } finally {
      await server.stop();
    }
  });
});

const readdirTexts = async (): Promise<string[]> => {
  const texts: string[] = [];
  for (const name of await readdir(saved)) {
    texts.push(await readFile(join(saved, name), "utf8").catch(() => ""));
  }
  return texts;
};
