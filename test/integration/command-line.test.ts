/** The command line as the process that people start: signals, pipes, terminals. */
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { until } from "../support/until.ts";

const program = fileURLToPath(new URL("../../src/main/cli.ts", import.meta.url));
let folder = "";
let source = "";
let first: Ended = { code: null, stdout: "", stderr: "" };
let environment: NodeJS.ProcessEnv = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "lc2-command-line-"));
  source = join(folder, "source");
  await mkdir(join(source, "below"), { recursive: true });
  for (let index = 0; index < 40; index += 1) {
    await writeFile(join(source, "below", `file-${index}`), Buffer.alloc(50_000, index));
  }
  environment = { PATH: process.env["PATH"] ?? "", HOME: folder, LC2_DATA_DIR: join(folder, "data") };
  // The first backup, which makes repository and key; each test may rely on it and on no other test.
  first = await lc2(["backup", "create", "--files", "source", "-o", "json"]);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs to the end; `onStart` may send signals. */
async function lc2(
  words: readonly string[],
  options: {
    env?: NodeJS.ProcessEnv;
    onError?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
  } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...words], {
    env: { ...environment, ...options.env },
    cwd: folder,
  });
  child.stdin.end();
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    options.onError?.(stderr, (signal) => child.kill(signal));
  });
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

/** A shell's pipeline with `lc2` in it; resolves with its output. */
async function shell(script: string): Promise<string> {
  const env = { ...environment, LC2: `${process.execPath} ${program}` };
  return await new Promise((resolve, reject) => {
    execFile("bash", ["-c", script], { env, cwd: folder, encoding: "utf8" }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${script} failed`, { cause: error }));
    });
  });
}

interface BackupList {
  readonly backups: readonly { readonly backupId: string; readonly status: string }[];
}

async function listBackups(): Promise<BackupList["backups"]> {
  const { stdout } = await lc2(["backup", "list", "-o", "json"]);
  return (JSON.parse(stdout) as BackupList).backups;
}

describe("a backup made, listed, verified and fetched", () => {
  test("from a relative folder into the default repository", async () => {
    expect(first.code).toBe(0);
    const view = JSON.parse(first.stdout) as { backupId: string; status: string; repository: string };
    expect(view).toMatchObject({ status: "Completed", repository: `file://${folder}/data/repository` });
    expect(first.stderr).toContain("A key for project default was made at");
    expect((await listBackups()).map(({ backupId }) => backupId)).toContain(view.backupId);

    const verified = await lc2(["backup", "verify", view.backupId]);
    expect(verified.stdout).toContain("whole");
    expect(verified.code).toBe(0);

    await shell(`$LC2 backup download ${view.backupId} below/file-7 -o - > fetched`);
    expect(await readFile(join(folder, "fetched"))).toEqual(Buffer.alloc(50_000, 7));
  });

  test("a download whose reader stands still for longer than a lease comes whole", async () => {
    const content = randomBytes(2_000_000);
    await mkdir(join(folder, "large"));
    await writeFile(join(folder, "large/file"), content);
    const made = await lc2(["backup", "create", "--project", "slow", "--files", "large", "-o", "json"]);
    const { backupId } = JSON.parse(made.stdout) as { backupId: string };
    const download = `LC2_LEASE_SECONDS=1 $LC2 backup download ${backupId} file --project slow -o -`;
    await shell(`set -o pipefail; ${download} | (sleep 4; cat > slowly)`);
    expect(await readFile(join(folder, "slowly"))).toEqual(content);
  });

  test("an unknown id, an unknown folder and a wrong option end with their own exit codes", async () => {
    expect((await lc2(["backup", "get", "backup-20990101-000000-000000"])).code).toBe(4);
    expect((await lc2(["backup", "get", "../../../etc"])).code).toBe(4);
    expect((await lc2(["backup", "create", "--files", "missing"])).code).toBe(4);
    expect((await lc2(["backup", "create", "--flies", "source"])).code).toBe(2);
  });
});

describe("a signal", () => {
  const slow = ["backup", "create", "--files", "source", "--rehash", "--max-rate", "20kB"];
  const started = "TransferInProgress";

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s cancels cleanly: exit code 1, nothing left to see",
    async (signal) => {
      let sent = false;
      const { code, stdout, stderr } = await lc2(slow, {
        onError: (text, kill) => {
          if (!sent && text.includes(started)) kill(signal);
          sent ||= text.includes(started);
        },
      });
      expect(code).toBe(1);
      expect(stdout).toBe("");
      expect(stderr).toContain("Cancelling…");
      expect(stderr).toContain("error cancelled, exit code 1");
      const [newest] = await listBackups();
      expect(newest?.status).toBe("Cancelled");
    },
  );

  test("a second one stops at once, and the next lc2 works as if nothing had been", async () => {
    let step = 0;
    const { code } = await lc2(slow, {
      onError: (text, kill) => {
        if (step === 0 && text.includes(started)) {
          step = 1;
          kill("SIGINT");
        }
        if (step === 1 && text.includes("Cancelling…")) {
          step = 2;
          kill("SIGINT");
        }
      },
    });
    // The clean end may win the race; both are right, a hang or a crash is not.
    expect([1, 130]).toContain(code);
    expect((await lc2(["backup", "create", "--files", "source"])).code).toBe(0);
    await until("the dead run is tidied away", async () =>
      (await listBackups()).every(({ status }) => ["Completed", "Cancelled", "Failed"].includes(status)),
    );
  });
});

describe("pipes and terminals", () => {
  test("a reader that goes away is no failure and no message", async () => {
    expect(await shell("set -o pipefail; $LC2 completion zsh 2>&1 | head -n 1")).toBe("#compdef lc2\n");
    const script = "set -o pipefail; $LC2 --help 2> errors | true; echo ${PIPESTATUS[0]}; cat errors";
    expect(await shell(script)).toBe("0\n");
  });

  test("on a terminal there are live lines and colours, which are gone in the end; NO_COLOR takes the colours", async () => {
    const words = `$LC2 backup create --files source --rehash --max-rate 2MB`;
    const shown = await shell(`script -qec "stty cols 100; ${words}" /dev/null < /dev/null`);
    expect(shown).toMatch(/files {5}reading/);
    expect(shown).toContain("\u001b[J");
    expect(shown).toContain("\u001b[1m");
    const plain = await shell(`NO_COLOR=1 script -qec "stty cols 100; ${words}" /dev/null < /dev/null`);
    expect(plain).toContain("\u001b[J");
    expect(plain).not.toMatch(/\u001b\[\d+m/);
  });

  test("a result that could not be written is a failure in one sentence", async () => {
    const output = await shell("$LC2 version > /dev/full 2> errors; echo $?; cat errors");
    expect(output).toMatch(/^1\nlc2: standard output cannot be written: ENOSPC.*\n$/);
  });

  test("a question on a terminal is answered there, and anything but yes changes nothing", async () => {
    const made = await lc2(["backup", "create", "--files", "source", "-o", "name"]);
    const id = made.stdout.trim();
    const ask = (answer: string) =>
      shell(`printf '${answer}' | script -qec "$LC2 backup delete ${id}" /dev/null; echo "=$?"`);
    const refused = await ask("n\\n");
    expect(refused).toContain(`Delete ${id} of project default for good? [y/N]`);
    expect(refused).toContain("Nothing was deleted");
    expect(refused).toContain("=1");
    expect(await listBackups()).toContainEqual(expect.objectContaining({ backupId: id }));
    expect(await ask("y\\n")).toContain("=0");
    expect(await listBackups()).not.toContainEqual(
      expect.objectContaining({ backupId: id, status: "Completed" }),
    );
  });

  test("an exported key reaches another data directory through a pipe", async () => {
    const script = "$LC2 key export | $LC2 --data-dir other key import; $LC2 --data-dir other key export";
    const [said, ...text] = (await shell(script)).split("\n");
    expect(said).toMatch(/^Project default: \d+ keys? added$/);
    expect(text.join("\n")).toBe((await lc2(["key", "export"])).stdout);
  });

  test("in a pipe there is neither", async () => {
    const { stdout, stderr } = await lc2(["backup", "create", "--files", "source"]);
    expect(stdout + stderr).not.toContain("\u001b");
  });
});

test("doctor looks at the machine, and fails with the fix where something needed is wrong", async () => {
  const right = await lc2(["doctor", "-o", "json"]);
  const { checks } = JSON.parse(right.stdout) as { checks: { name: string; state: string; fix?: string }[] };
  expect(checks.find(({ name }) => name === "catalog")).toMatchObject({ state: "ok" });
  expect(checks.find(({ name }) => name === "key default")).toMatchObject({ state: "ok" });

  await shell("chmod 644 data/keys/default.key");
  const wrong = await lc2(["doctor"]);
  await shell("chmod 600 data/keys/default.key");
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toContain("do: chmod 600");
});

test("a server that is named is not passed over in silence", async () => {
  const { code, stderr } = await lc2(["backup", "list"], { env: { LC2_SERVER: "http://127.0.0.1:9" } });
  expect(code).toBe(3);
  expect(stderr).toContain("The server needs an API key");
});
