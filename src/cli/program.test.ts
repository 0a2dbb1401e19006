/** The whole command line in memory: words in, exit code and both outputs out. */
import { describe, expect, test } from "vitest";
import { createMemoryWorld } from "../../test/support/memory-service.ts";
import { runInMemory, wordsOf } from "../../test/support/memory-terminal.ts";
import { exampleBackup, exampleCopy, examplePlan } from "../../test/support/service-examples.ts";
import { Failure } from "../core/failure.ts";
import type { Command, Group } from "./command.ts";
import { commandTree } from "./command-tree.ts";

const backupId = exampleBackup().backupId;
const { restoreId } = examplePlan();
const { copyId } = exampleCopy();

function commandsOf(group: Group, path: readonly string[] = []): { words: string[]; command: Command }[] {
  return group.members.flatMap((member) => {
    const words = [...path, member.name];
    return member.type === "group" ? commandsOf(member, words) : [{ words, command: member }];
  });
}

const everyCommand = commandsOf(commandTree);
const database = "postgres://app@db:5432/lportal";

/** A right command line for each command, as words after its name. */
const rightWords: Record<string, readonly string[]> = {
  "backup create": ["--database", database, "--files", "/srv/dl"],
  "backup list": [],
  "backup get": [backupId],
  "backup describe": [backupId],
  "backup explain": [backupId],
  "backup logs": [backupId],
  "backup browse": [backupId],
  "backup verify": [backupId],
  "backup cancel": [backupId],
  "backup delete": [backupId],
  "backup copy": [backupId, "--to", "s3://elsewhere/lc2"],
  "restore plan": ["--from", backupId, "--database", database],
  "restore create": ["--from", backupId, "--database", database],
  "restore undo": [restoreId],
  "restore list": [],
  "restore get": [restoreId],
  "restore describe": [restoreId],
  "restore cancel": [restoreId],
  "restore logs": [restoreId],
  "copy list": [],
  "copy get": [copyId],
  "copy describe": [copyId],
  "copy logs": [copyId],
  "copy cancel": [copyId],
  "repository check": [],
  "repository scan": [],
  "repository sweep": [],
  "repository probe": [],
  "repository set-copy": ["--none"],
  "restore-points list": ["--environment", "prod"],
  "project create": ["retail"],
  "project list": [],
  "project get": ["retail"],
  "project delete": ["retail"],
  "environment create": ["staging", "--files", "/srv/dl"],
  "environment list": [],
  "environment get": ["prod"],
  "environment check": ["prod"],
  "environment delete": ["prod"],
  "api-key create": ["--name", "nightly"],
  "api-key list": [],
  "api-key rotate": ["key-0123456789ab"],
  "api-key revoke": ["key-0123456789ab"],
  "context set": ["here", "--server", "http://127.0.0.1:8080"],
  "context use": ["staging"],
  "context list": [],
  "context delete": ["staging"],
  "notification create": ["chat", "--slack", "env:SLACK"],
  "notification list": [],
  "notification get": ["ops"],
  "notification test": ["ops"],
  "notification delete": ["ops"],
  "schedule create": ["often", "--files", "/srv/dl", "--rpo", "60m"],
  "schedule list": [],
  "schedule get": ["nightly"],
  "schedule next": ["nightly"],
  "schedule history": ["nightly"],
  "schedule suspend": ["nightly"],
  "schedule resume": ["nightly"],
  "schedule run-now": ["nightly"],
  "schedule delete": ["nightly"],
  "key rotate": [],
  "key import": ["-"],
  doctor: [],
  version: [],
};

describe("help", () => {
  test.each(everyCommand)("of lc2 $words names every option and argument", async ({ words, command }) => {
    const { exitCode, stdout, stderr } = await runInMemory([...words, "--help"]);
    expect(exitCode).toBe(0);
    expect(stderr).toBe("");
    expect(stdout).toContain(`Usage: lc2 ${words.join(" ")}`);
    for (const option of command.options) {
      expect(stdout.includes(option.flags), option.flags).toBe(option.hidden !== true);
    }
    for (const argument of command.arguments) expect(stdout).toContain(argument.term);
    expect(stdout).toContain("--data-dir <dir>");
  });

  test("of lc2 names every noun and the exit codes, and hides the worker", async () => {
    const { exitCode, stdout } = await runInMemory(["--help"]);
    expect(exitCode).toBe(0);
    for (const { name } of commandTree.members) {
      expect(stdout.includes(`  ${name} `), name).toBe(name !== "worker");
    }
    expect(stdout).toContain("6  stored data is damaged");
  });

  test("is what a noun without a verb shows, as a usage error", async () => {
    const { exitCode, stdout, stderr } = await runInMemory(["backup"]);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain("Usage: lc2 backup");
  });
});

describe("with -o json", () => {
  test.each(Object.entries(rightWords))(
    "lc2 %s writes one JSON value and nothing else",
    async (name, words) => {
      const world = createMemoryWorld();
      world.events = [
        { type: "state", status: "TransferInProgress" },
        { type: "progress", progress: { component: "files", phase: "reading", bytes: 5 } },
        { type: "log", line: { at: "", level: "warn", message: "a warning" } },
        { type: "key-created", projectId: "retail", place: "/keys/retail.key" },
      ];
      const { exitCode, stdout } = await runInMemory([...name.split(" "), ...words, "-o", "json"], { world });
      expect(exitCode).toBe(0);
      expect(JSON.parse(stdout)).toBeTypeOf("object");
      expect(world.closed).toBe(/^(?:doctor|version|context .*)$/.test(name) ? 0 : 1);
    },
  );

  test.each(Object.keys(rightWords))("a failure of lc2 %s leaves standard output empty", async (name) => {
    const { exitCode, stdout, stderr } = await runInMemory([
      ...name.split(" "),
      "--no-such-option",
      "-o",
      "json",
    ]);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(JSON.parse(stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({ code: "usage" });
  });

  test("a list has the shape of the REST interface", async () => {
    const { stdout } = await runInMemory(["backup", "list", "-o", "json"]);
    expect(JSON.parse(stdout)).toEqual({ backups: [exampleBackup()], total: 1 });
  });

  test("the last line on standard error says code and message of a failure", async () => {
    const { exitCode, stderr } = await runInMemory([
      "backup",
      "get",
      "backup-20990101-000000-000000",
      "-o",
      "json",
    ]);
    expect(exitCode).toBe(4);
    expect(JSON.parse(stderr.trim().split("\n").at(-1) ?? "")).toMatchObject({ code: "backup-not-found" });
  });
});

describe("a failure", () => {
  test("says what failed, what to do and its code, without a stack", async () => {
    const world = createMemoryWorld();
    world.failNext = new Failure("disk-full", "No space is left in /srv/backups for 3 MB.");
    const { exitCode, stderr, stdout } = await runInMemory(["backup", "create", "--files", "/srv/dl"], {
      world,
    });
    expect(exitCode).toBe(1);
    expect(stdout).toBe("");
    expect(stderr).toContain("lc2 backup create: No space is left in /srv/backups for 3 MB.\n");
    expect(stderr).toContain("  What to do: Free some space and run again.");
    expect(stderr).toContain("  error disk-full, exit code 1\n");
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(world.closed).toBe(1);
  });

  test("shows stacks and causes with --debug", async () => {
    const world = createMemoryWorld();
    const cause = new Error("ENOSPC: no space");
    world.failNext = new Failure("disk-full", "No space.", { cause });
    const { stderr } = await runInMemory(["backup", "create", "--files", "/srv/dl", "--debug"], { world });
    expect(stderr).toMatch(/\n\s+at /);
    expect(stderr).toContain("caused by: Error: ENOSPC: no space");
  });

  test.each([
    ["dump-failed", 1],
    ["request-invalid", 2],
    ["rights-missing", 3],
    ["database-not-found", 4],
    ["data-damaged", 6],
  ] as const)("%s ends with exit code %i", async (code, expected) => {
    const world = createMemoryWorld();
    world.failNext = new Failure(code, "Sentence.");
    const { exitCode } = await runInMemory(["backup", "create", "--files", "/srv/dl"], { world });
    expect(exitCode).toBe(expected);
  });

  test("words from a server cannot drive the terminal", async () => {
    const world = createMemoryWorld();
    world.failNext = new Failure("dump-failed", "pg_dump said: \u001b[2Jgone\nsecond line");
    const { stderr } = await runInMemory(["backup", "create", "--files", "/srv/dl"], { world });
    expect(stderr).not.toContain("\u001b");
    expect(stderr).toContain("\\u001b[2Jgone\n  second line\n");
  });
});

describe("a command line that cannot be understood", () => {
  test("is answered with every problem at once, and nothing is started", async () => {
    const { exitCode, stdout, stderr, world } = await runInMemory(
      wordsOf(`
    backup create --max-rate fast --projct x --project UP --database postgres://app:secret@db/x
    --max-shrink 200% --application joomla --max-concurrency 0 --bucket s3://x -o xml
  `),
    );
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(world.calls).toEqual([]);
    const subjects = stderr.split("\n").flatMap((line) => /^ {2}(--[a-z-]+):/.exec(line)?.[1] ?? []);
    expect(subjects.sort()).toEqual(
      wordsOf(`
    --application --bucket --database --max-concurrency --max-rate --max-shrink --output --project
    --projct
  `).sort(),
    );
    expect(stderr).toContain("did you mean --project?");
    expect(stderr).not.toContain("secret");
    expect(stderr.trimEnd().endsWith("See: lc2 backup create --help")).toBe(true);
  });

  test.each([
    [["bakcup"], "Did you mean backup?"],
    [["backup", "lsit"], "Did you mean list?"],
    [["backup", "get"], "<backupId>: must be given"],
    [["backup", "get", "a", "b"], 'nothing is expected at "b"'],
    [["backup", "create", "a.log", "b.log", "--files", "/x"], "quote patterns"],
    [["backup", "create", "--database"], "--database: needs a value"],
    [["backup", "create", "--database", "--files", "/x"], "--database: needs a value"],
    [["backup", "create", "--files", ""], "--files: needs a value that is not empty"],
    [["backup", "create", "--files", "/x", "--exclude"], "--exclude: needs a value"],
    [["backup", "create", "--files", "/x", "--data-dir"], "--data-dir: needs a value"],
    [["backup", "create"], "there is nothing to back up"],
    [
      ["backup", "create", "--database", database, "--exclude", "x"],
      "--exclude: only makes sense with --files or --bucket",
    ],
    [["backup", "create", "--files", "/x", "--streams", "2"], "--streams: only makes sense with --database"],
    [
      ["backup", "create", "--files", "/x", "--exclude-generated"],
      "--exclude-generated: only makes sense with --application",
    ],
    [["backup", "create", "--bucket", "s3://_"], "no name of a bucket"],
    [["backup", "create", "--files", "/x", "--bucket", "s3://doclib"], "does not go with --files"],
    [
      ["backup", "create", "--database", database, "--max-concurrency", "2"],
      "--max-concurrency: only makes sense with --files or --bucket",
    ],
    [
      wordsOf("backup create --files /x --max-concurrency 2 --no-parallel-transfer"),
      "does not go with --no-parallel-transfer",
    ],
    [wordsOf("backup create --files /x --max-concurrency 257"), "is not a whole number from 1 to 256"],
    [wordsOf("restore plan --from x --files /x --bucket s3://doclib"), "does not go with --files"],
    [
      wordsOf("restore plan --from x --bucket s3://doclib --type database-only"),
      "--bucket: does not go with --type database-only",
    ],
    [["backup", "list", "--since", "1d", "--until", "2d"], "is later than --until"],
    [["backup", "list", "--status", "Done"], "is not one of Queued"],
    [["backup", "list", "--limit", "0"], "is not a whole number"],
    [["backup", "verify", "x", "--database", database], "only makes sense with --restore"],
    [["restore", "plan", "--database", database], "--from: must be given"],
    [["restore", "plan", "--from", "x"], "nowhere to restore to"],
    [
      ["restore", "plan", "--from", "x", "--files", "/x", "--into", "swap"],
      "--into: only makes sense with --database",
    ],
    [
      ["restore", "plan", "--from", "x", "--database", database, "--mode", "merge"],
      "--mode: only makes sense with --files or --bucket",
    ],
    [["restore", "plan", "--from", "x", "--files", "/x", "--type", "database-only"], "does not go with"],
    [
      ["restore", "plan", "--from", "x", "--files", "/x", "--type", "selective"],
      "selective needs --include or --table",
    ],
    [
      ["restore", "plan", "--from", "x", "--files", "/x", "--include", "a", "--type", "full"],
      "does not go with --type full",
    ],
    [["restore", "create", "--from", "x", "--files", "/x", "--approve", "zz"], "is not a plan's hash"],
    [["repository", "check", "/a", "--repository", "/b"], "names a second repository"],
    [["repository", "check", "s3://_"], "no name of a bucket"],
    [["repository", "check", "gs://a"], "no gs: store"],
    [["repository", "check", "--read-data-subset", "5/4"], "is not a part"],
    [["repository", "sweep", "--min-age", "1"], "is not a duration"],
    [["key", "rotate", "--project", "A"], "is not a project id"],
    [["serve", "--listen", "8080"], "--listen: must be an address and a port"],
    [["serve", "--listen", "a:99999"], "--listen: must be an address and a port"],
    [["serve", "--tls-cert", "a"], "--tls-cert and --tls-key go together"],
    [["api-key", "create", "--role", "root", "--name", "x"], "is not one of viewer, operator, admin"],
    [["api-key", "create"], "--name: must be given"],
    [["completion"], "must be given: bash, zsh, fish"],
    [["completion", "tcsh"], "is not one of bash, zsh, fish"],
    [["worker", "x"], "nothing is expected"],
  ])("lc2 %j says what is wrong", async (words, sentence) => {
    const { exitCode, stdout, stderr, world } = await runInMemory(words);
    expect(exitCode).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(sentence);
    expect(stderr.match(/^See: lc2.* --help$/gm)).toHaveLength(1);
    expect(world.calls).toEqual([]);
  });

  test("an option with a value of its own after = is understood", async () => {
    const { exitCode, world } = await runInMemory(["backup", "list", "--project=retail", "--limit=5"]);
    expect(exitCode).toBe(0);
    expect(world.calls[0]?.arguments[0]).toMatchObject({ projectId: "retail", limit: 5 });
  });
});

test.each([
  [["--data-dir", "/data", "-q", "backup", "create", "--files", "/x"]],
  [["--data-dir=/data", "backup", "create", "--files", "/x", "-q"]],
])("options of every command may come before it: %j", async (words) => {
  const { exitCode, world, stderr } = await runInMemory(words);
  expect(exitCode).toBe(0);
  expect(stderr).toBe("");
  expect(world.dataDirectory).toBe("/data");
});

test("help and version need no command", async () => {
  expect((await runInMemory(["--no-color", "--help"])).exitCode).toBe(0);
  expect((await runInMemory(["--debug", "--version"])).stdout).toBe("0.1.0\n");
});

test("colours are for terminals, and --no-color takes them away", async () => {
  const escape = "\u001b[";
  expect((await runInMemory(["backup", "list"], { terminal: true })).stdout).toContain(escape);
  expect((await runInMemory(["backup", "list"])).stdout).not.toContain(escape);
  expect((await runInMemory(["backup", "list", "--no-color"], { terminal: true })).stdout).not.toContain(
    escape,
  );
});

test("Ctrl-C cancels what is running, says so, and ends with code cancelled and exit code 1", async () => {
  const world = createMemoryWorld();
  world.hang = true;
  const { exitCode, stderr } = await runInMemory(["backup", "create", "--files", "/srv/dl"], {
    world,
    onCancellable: (controller) => {
      setImmediate(() => controller.abort());
    },
  });
  expect(exitCode).toBe(1);
  expect(stderr).toContain("Cancelling…");
  expect(stderr).toContain("error cancelled, exit code 1");
  expect(world.closed).toBe(1);
});

test("every command is tried in this file", () => {
  const tried = new Set([...Object.keys(rightWords), "backup download", "key export", "key recovery create"]);
  const others = ["demo", "completion", "worker", "serve"];
  const names = everyCommand.map(({ words }) => words.join(" ")).filter((name) => !others.includes(name));
  expect([...tried].sort()).toEqual(names.sort());
});
