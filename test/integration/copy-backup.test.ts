/** `lc2 backup copy`, typed as a stranger would, between folders and buckets, on good days and bad ones. */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CopyView } from "../../src/contract/copies.ts";
import type { BackupView } from "../../src/contract/service.ts";
import type { ScanRepositoryResult } from "../../src/contract/worker-task.ts";
import { openCommandLine, type CommandLine, type CommandResult } from "../support/command-line.ts";
import { useS3Server, type S3Server } from "../support/s3-servers.ts";
import { until } from "../support/until.ts";

const execute = promisify(execFile);
let line: CommandLine;
let server: S3Server;
let files = "";
/** Of the folder `line.repository`, oldest first; the last one refers to the two before it. */
let ids: readonly [string, string, string];

beforeAll(async () => {
  line = await openCommandLine();
  server = await useS3Server("versitygw");
  files = join(line.folder, "files");
  await mkdir(join(files, "deep/er"), { recursive: true });
  for (let index = 0; index < 5; index += 1) {
    await writeFile(join(files, `large-${index}.bin`), randomBytes(1_500_000));
  }
  for (let index = 0; index < 200; index += 1) {
    await writeFile(join(files, `deep/er/${index}.txt`), `small file ${index}\n`.repeat(index));
  }
  ids = await backUpThree(line.repository);
}, 300_000);
afterAll(async () => await line?.[Symbol.asyncDispose]());

const env = () => server.environment;

async function backUp(repository: string): Promise<string> {
  const words = ["backup", "create", "--project", "shop", "--files", files, "--repository", repository];
  const { backupId } = await line.json(words, env());
  return String(backupId);
}

async function backUpThree(repository: string): Promise<[string, string, string]> {
  const first = await backUp(repository);
  await writeFile(join(files, "deep/er/7.txt"), randomBytes(100));
  const second = await backUp(repository);
  await writeFile(join(files, "large-1.bin"), randomBytes(1_600_000));
  await writeFile(join(files, "deep/er/8.txt"), randomBytes(100));
  return [first, second, await backUp(repository)];
}

const place = (name: string): string => join(line.folder, name);
const run = (args: readonly string[]): Promise<CommandResult> => line.run(args, env());
const copy = (backupId: string, to: string, more: readonly string[] = []): Promise<CommandResult> =>
  run(["backup", "copy", backupId, "--to", to, ...more]);
const copied = (backupId: string, to: string): Promise<CopyView> =>
  read(line, ["backup", "copy", backupId, "--to", to]);
const describeBackup = (backupId: string): Promise<BackupView> =>
  read(line, ["backup", "describe", backupId]);
const scan = (repository: string, by = line): Promise<ScanRepositoryResult> =>
  read(by, ["repository", "scan", repository]);

/** Runs a command of which the result is printed as JSON, and expects it to end well. */
async function read<T>(by: CommandLine, args: readonly string[]): Promise<T> {
  const { code, stdout, stderr } = await by.run([...args, "-o", "json"], env());
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as T;
}

async function expectWhole(backupId: string, repository: string): Promise<void> {
  const verified = await run(["backup", "verify", backupId, "--repository", repository]);
  expect(verified.stderr + verified.stdout).toMatch(/^whole|\nwhole/);
  expect(verified.code).toBe(0);
}

/** Every file below a folder, by its path. */
async function contentsOf(folder: string): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    contents.set(path.slice(folder.length), (await readFile(path)).toString("base64"));
  }
  return contents;
}

const namesIn = async (folder: string): Promise<string[]> => [...(await contentsOf(folder)).keys()].sort();
const metadataIn = async (folder: string): Promise<string[]> =>
  (await namesIn(folder)).filter((name) => name.endsWith("metadata.json"));

function expectFailure(result: CommandResult, exit: number, code: string, says: RegExp): void {
  expect(result.stderr).toContain(`error ${code}, exit code ${exit}`);
  expect(result.stderr).toMatch(says);
  expect(result.code).toBe(exit);
}

async function flip(path: string, at = 200): Promise<void> {
  const bytes = await readFile(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(path, bytes);
}

describe.each([
  ["a folder", "a folder"],
  ["a folder", "a bucket"],
  ["a bucket", "a folder"],
  ["a bucket", "a bucket"],
] as const)("from %s to %s", (fromKind, toKind) => {
  const urlOf = async (kind: "a folder" | "a bucket", name: string): Promise<string> =>
    kind === "a folder"
      ? pathToFileURL(place(`${name} of ${fromKind} to ${toKind}`)).href
      : (await server.freshBucket()).urlOf({ prefix: "lc2" });

  it("a backup arrives whole with what it refers to, and is restored by who never saw its source", async () => {
    const from =
      fromKind === "a folder" ? pathToFileURL(line.repository).href : await urlOf(fromKind, "from");
    const to = await urlOf(toKind, "to");
    const [, , id] = fromKind === "a folder" ? ids : await backUpThree(from);
    const view = await copied(id, to);
    expect(view).toMatchObject({ from, to, status: "Completed", wasThere: false, repositoryCreated: true });
    expect(view.earlierBackups).toHaveLength(2);
    await expectWhole(id, to);
    expect(await copied(id, to)).toMatchObject({ wasThere: true, copied: { files: 0 } });
    expect((await describeBackup(id)).alsoIn).toContain(to);

    const key = place("shop.key");
    await run(["key", "export", "--project", "shop", "-o", key, "--force"]);
    await using stranger = await openCommandLine();
    const imported = await stranger.run(["key", "import", key]);
    expect(imported.code, imported.stderr).toBe(0);
    const target = join(stranger.folder, "restored");
    const words = ["restore", "create", "--from", id, "--repository", to, "--files", target, "-y"];
    const restored = await stranger.run(words, env());
    expect(restored.code, restored.stderr).toBe(0);
    expect(await contentsOf(target)).toEqual(await contentsOf(files));
    const checked = await run(["repository", "check", to, "--read-data"]);
    expect(checked.code, checked.stdout).toBe(0);
  });
});

describe("killed with -9", () => {
  const slow = ["--max-rate", "2MB"];

  it("a copy is ended by the next lc2, shows nothing, and the one after goes on where it stopped", async () => {
    const to = place("killed");
    const dying = line.start(["backup", "copy", ids[2], "--to", to, ...slow], env());
    await until("a second large file has arrived", async () => {
      const names = await namesIn(to).catch(() => []);
      return names.filter((name) => /\/file-\d+$/.test(name)).length >= 2;
    });
    dying.child.kill("SIGKILL");
    await dying.ended();
    const listed = await run(["backup", "list"]);
    expect(listed.stderr).toContain(`The process that copied ${ids[2]} died before it was done.`);
    expect(await metadataIn(to)).toEqual([]);
    expect((await describeBackup(ids[2])).alsoIn ?? []).not.toContain(pathToFileURL(to).href);
    const view = await copied(ids[2], to);
    expect(view.found?.files).toBeGreaterThanOrEqual(2);
    expect(view.copied?.files).toBeGreaterThan(0);
    await expectWhole(ids[2], to);
    expect((await describeBackup(ids[2])).alsoIn).toContain(pathToFileURL(to).href);
  });

  it("its worker is followed by another, which goes on", async () => {
    const to = place("worker-killed");
    const copying = line.start(["backup", "copy", ids[2], "--to", to, ...slow], env());
    await until("a file has arrived", async () => (await namesIn(to).catch(() => [])).length > 2);
    const { pid } = copying.child;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
    for (const child of children) process.kill(Number(child), "SIGKILL");
    const result = await copying.ended();
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toMatch(/Trying again in \d+ s\./);
    const { copies } = await read<{ copies: CopyView[] }>(line, ["copy", "list"]);
    const copyId = copies.find((one) => one.to === pathToFileURL(to).href)?.copyId ?? "";
    expect((await run(["copy", "logs", copyId])).stdout).toContain("Trying again");
    await expectWhole(ids[2], to);
  });

  it("Ctrl-C cancels: nothing can be seen, and no lease stays", async () => {
    const to = place("cancelled");
    const copying = line.start(["backup", "copy", ids[2], "--to", to, ...slow], env());
    await until("a file has arrived", async () => (await namesIn(to).catch(() => [])).length > 2);
    copying.child.kill("SIGINT");
    const result = await copying.ended();
    expectFailure(result, 1, "cancelled", /Nothing of it can be seen in the destination/);
    expect(await metadataIn(to)).toEqual([]);
    for (const repository of [to, line.repository]) {
      expect((await namesIn(repository)).filter((name) => name.startsWith("/leases"))).toEqual([]);
    }
  });

  it("is cancelled by its own id from another process, and the backup that it is of stays", async () => {
    const to = place("cancelled-by-id");
    const copying = line.start(["backup", "copy", ids[2], "--to", to, "--max-rate", "100KB"], env());
    const idIn = (text: string): string => /copy-\d{8}-\d{6}-[0-9a-f]{6}/.exec(text)?.[0] ?? "";
    await until("it is accepted", () => idIn(copying.text()) !== "");
    const copyId = idIn(copying.text());
    const running = await read<CopyView>(line, ["copy", "get", copyId]);
    expect(["Pending", "TransferInProgress"]).toContain(running.status);
    const view = await read<CopyView>(line, ["copy", "cancel", copyId]);
    expect(view).toMatchObject({ copyId, backupId: ids[2], status: "Cancelled" });
    expect(await read<BackupView>(line, ["backup", "get", ids[2]])).toMatchObject({ status: "Completed" });
    expectFailure(await copying.ended(), 1, "cancelled", /Nothing of it can be seen in the destination/);
    expect((await run(["copy", "cancel", copyId])).stderr).toContain("already-finished");
    expect((await run(["copy", "cancel", "copy-20200101-000000-000000"])).stderr).toContain("copy-not-found");
  });

  it("is in the list when it has failed, with the reason", async () => {
    const to = place("occupied");
    await mkdir(to);
    await writeFile(join(to, "somebody-elses"), "words");
    expectFailure(await copy(ids[2], to), 3, "repository-occupied", /not a repository/);
    const { copies } = await read<{ copies: CopyView[] }>(line, ["copy", "list", "--project", "shop"]);
    const failed = copies.find((one) => one.to === pathToFileURL(to).href);
    expect(failed).toMatchObject({
      backupId: ids[2],
      status: "Failed",
      error: { code: "repository-occupied" },
    });
    expect((await run(["copy", "describe", failed?.copyId ?? ""])).stdout).toContain("repository-occupied");
    expect((await run(["copy", "list", "--project", "other"])).stdout).toBe("No copies found.\n");
  });
});

describe("a copy is refused", () => {
  it("into its own repository, under any name, and into a folder inside", async () => {
    const link = place("link");
    await symlink(line.repository, link);
    expectFailure(await copy(ids[0], line.repository), 3, "copy-to-itself", /Name another place/);
    expectFailure(await copy(ids[0], link), 3, "copy-to-itself", /is the repository that/);
    expectFailure(
      await copy(ids[0], join(line.repository, "inner")),
      3,
      "copy-to-itself",
      /inside the other/,
    );
  });

  it("without a destination, where the repository names none", async () => {
    expectFailure(await run(["backup", "copy", ids[0]]), 2, "copy-target-unknown", /--to/);
  });

  it("where something else is", async () => {
    expectFailure(await copy(ids[0], files), 3, "repository-occupied", /not a repository/);
  });

  it("where there is another backup of that id", async () => {
    const to = place("differs");
    await copied(ids[0], to);
    const metadata = join(to, `backups/shop/${ids[0]}/metadata.json`);
    await writeFile(metadata, (await readFile(metadata, "utf8")).replace('"attempt": 1', '"attempt": 2'));
    expectFailure(await copy(ids[0], to), 3, "copy-differs", /nothing was copied/);
  });

  it("when the source is damaged midway, naming the file, and the destination stays without it", async () => {
    const from = place("damaged");
    const to = place("of-damaged");
    await cp(line.repository, from, { recursive: true });
    const damaged = `backups/shop/${ids[0]}/a1/files/file-000003`;
    await flip(join(from, damaged));
    const result = await copy(ids[2], to, ["--repository", from]);
    expectFailure(result, 6, "data-damaged", new RegExp(`${damaged} is damaged in file://`));
    expect(await metadataIn(to)).toEqual([]);
    expect(await namesIn(to)).not.toContain(`/${damaged}`);
    // And mended from another copy, it goes on.
    const view = await copied(ids[2], to);
    expect(view.found?.files).toBeGreaterThan(0);
    await expectWhole(ids[2], to);
  });

  it("when the project's key is another one", async () => {
    await using stranger = await openCommandLine();
    const own = join(stranger.folder, "own");
    await mkdir(own);
    await writeFile(join(own, "a"), "a");
    const words = ["backup", "create", "--project", "shop", "--files", own];
    expect((await stranger.run(words)).code).toBe(0);
    const to = join(stranger.folder, "to");
    const from = ["--project", "shop", "--repository", line.repository];
    const result = await stranger.run(["backup", "copy", ids[0], ...from, "--to", to]);
    expectFailure(result, 3, "key-wrong", /data key of/);
    expect(await namesIn(to).catch(() => [])).toEqual([]);
  });

  it("where a bucket may not be written", async () => {
    const bucket = await server.freshBucket();
    const to = bucket.urlOf({ prefix: "lc2" });
    const result = await line.run(["backup", "copy", ids[0], "--to", to], server.guestEnvironment);
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/error store-access-denied/);
    expect(await bucket.keys()).toEqual([]);
  });

  it("but not because its source is a bucket that may only be read", async () => {
    const bucket = await server.freshBucket();
    const from = bucket.urlOf({ prefix: "lc2" });
    await copied(ids[0], from);
    await bucket.allowGuest([
      { actions: ["s3:GetObject"], resources: ["*"] },
      { actions: ["s3:ListBucket"], resources: [""] },
    ]);
    const words = ["backup", "copy", ids[0], "--repository", from, "--to", place("of-a-guest")];
    const result = await line.run(words, server.guestEnvironment);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toContain("nothing says there that it is being read");
    await expectWhole(ids[0], place("of-a-guest"));
  });

  it("where there is no space, and goes on where there is some", async (context) => {
    const mount = place("small");
    await mkdir(mount);
    const mounted = await execute("mount", ["-t", "tmpfs", "-o", "size=4m", "tmpfs", mount]).then(
      () => true,
      () => false,
    );
    context.skip(!mounted, "needs the right to mount a small file system");
    try {
      const to = join(mount, "repository");
      expectFailure(await copy(ids[2], to), 1, "disk-full", /no space left/);
      expect(await metadataIn(to)).toEqual([]);
      await execute("mount", ["-o", "remount,size=64m", mount]);
      const view = await copied(ids[2], to);
      expect(view.found?.files).toBeGreaterThan(0);
      await expectWhole(ids[2], to);
    } finally {
      await execute("umount", [mount]);
    }
  });

  it("into a read-only folder; but out of one a backup can be copied", async (context) => {
    const readOnly = place("read-only");
    await cp(line.repository, readOnly, { recursive: true });
    const mounted = await execute("mount", ["--bind", "-o", "ro", readOnly, readOnly]).then(
      () => true,
      () => false,
    );
    context.skip(!mounted, "needs the right to mount read-only");
    try {
      const into = await copy(ids[2], readOnly, ["--repository", place("of-damaged")]);
      expectFailure(into, 1, "repository-read-only", /Check owner, permissions and mount options/);
      const to = place("of-read-only");
      const result = await copy(ids[2], to, ["--repository", readOnly]);
      expect(result.code, result.stderr).toBe(0);
      expect(result.stderr).toContain("nothing says there that it is being read");
      await expectWhole(ids[2], to);
    } finally {
      await execute("umount", [readOnly]);
    }
  });
});

describe("in the destination", () => {
  it("what came along is no garbage while it is needed, and goes with the last backup that needs it", async () => {
    const to = place("kept");
    await copied(ids[2], to);
    const swept = await line.json(["repository", "sweep", to, "--min-age", "0s"]);
    expect(swept).toMatchObject({ deletedFiles: 0 });
    expect(await scan(to)).toMatchObject({ unsealed: 0, carried: 2, incomplete: [] });
    expect((await copied(ids[0], to)).found?.files).toBeGreaterThan(0);
    expect(await scan(to)).toMatchObject({ unsealed: 0, carried: 1, incomplete: [] });
    await line.json(["backup", "delete", ids[0], "--repository", to, "-y"]);
    await expectWhole(ids[2], to);
    await line.json(["backup", "delete", ids[2], "--repository", to, "-y"]);
    expect((await namesIn(to)).filter((name) => name.startsWith("/backups"))).toEqual([]);
    expect((await describeBackup(ids[2])).alsoIn ?? []).not.toContain(pathToFileURL(to).href);
    await expectWhole(ids[2], line.repository);
  });

  it("a new backup can be made", async () => {
    const to = place("continued");
    await copied(ids[2], to);
    const id = await backUp(to);
    await expectWhole(id, to);
    expect(await scan(to)).toMatchObject({ carried: 2, incomplete: [] });
  });

  it("a folder copied by hand is found by scan, which names what is missing; copying completes it", async () => {
    const to = place("by-hand");
    await copied(ids[0], to);
    await cp(join(line.repository, `backups/shop/${ids[2]}`), join(to, `backups/shop/${ids[2]}`), {
      recursive: true,
    });
    const found = await scan(to);
    expect(found.backups.map(({ backupId }) => backupId)).toEqual([ids[0], ids[2]]);
    expect(found.incomplete).toEqual([
      {
        backupId: ids[2],
        missing: [`the folder of ${ids[1]}, which holds files that are unchanged since`],
      },
    ]);
    const completed = await copy(ids[2], to);
    expect(completed.stderr).toContain("is in file://");
    expect(completed.stderr).toContain("but not whole, and is completed");
    expect(await scan(to)).toMatchObject({ incomplete: [] });
    await expectWhole(ids[2], to);

    // Some of what came along is lost again: it is named, file by file.
    const lost = `backups/shop/${ids[1]}/a1/files/pack-000001`;
    await rm(join(to, lost));
    await writeFile(join(to, `backups/shop/${ids[1]}/a1/files/pack-000002`), "another");
    expect((await scan(to)).incomplete).toEqual([{ backupId: ids[2], missing: [lost] }]);
  });

  it("a scan without the project's key says that; with another key, that the keyring does not open", async () => {
    const to = place("foreign");
    await copied(ids[2], to);
    await using stranger = await openCommandLine();
    const [note] = (await scan(to, stranger)).notes;
    expect(note).toContain("The key of project shop is not here");
    const own = join(stranger.folder, "own");
    await mkdir(own);
    await writeFile(join(own, "a"), "a");
    await stranger.run(["backup", "create", "--project", "shop", "--files", own]);
    const { incomplete } = await scan(to, stranger);
    expect(incomplete.map(({ backupId }) => backupId)).toEqual([ids[2]]);
    expect(incomplete[0]?.missing[0]).toContain("cannot be opened");
  });
});

describe("the catalog", () => {
  it("lists a backup in both places, and looks for it in the copy when it is gone from the first", async () => {
    const from = place("first-place");
    const to = place("second-place");
    const id = await backUp(from);
    await copied(id, to);
    for (const repository of [from, to]) {
      const listed = await line.json(["backup", "list", "--repository", repository]);
      expect(listed).toMatchObject({ total: 1, backups: [{ backupId: id }] });
    }
    // Looking through the copy changes nothing: it is known.
    await scan(to);
    expect(await describeBackup(id)).toMatchObject({ repository: pathToFileURL(from).href });
    await line.json(["backup", "delete", id, "-y"]);
    const left = await describeBackup(id);
    expect(left).toMatchObject({ status: "Completed", repository: pathToFileURL(to).href });
    expect(left.alsoIn).toBeUndefined();
    await expectWhole(id, to);
  });

  it("takes over what was seen elsewhere only if the project's key has signed it", async () => {
    const from = place("signed");
    const id = await backUp(from);
    const [genuine, forged] = [place("signed-too"), place("made-up")];
    for (const folder of [genuine, forged]) await cp(from, folder, { recursive: true });
    const record = join(forged, `backups/shop/${id}/metadata.json`);
    const metadata = JSON.parse(await readFile(record, "utf8")) as object;
    await writeFile(record, JSON.stringify({ ...metadata, application: "made-up" }));

    const lookIn = (repository: string) => run(["backup", "describe", id, "--repository", repository]);
    expect((await lookIn(forged)).code).toBe(0);
    expect((await describeBackup(id)).alsoIn).toBeUndefined();
    expect((await lookIn(genuine)).code).toBe(0);
    expect((await describeBackup(id)).alsoIn).toEqual([pathToFileURL(genuine).href]);

    // One that was deleted does not come back as another one.
    for (let places = 2; places > 0; places -= 1) await line.json(["backup", "delete", id, "-y"]);
    await lookIn(forged);
    expectFailure(await run(["backup", "describe", id]), 4, "backup-not-found", /no backup/);
  });

  it("a scan of a repository that was moved moves its backups", async () => {
    const from = place("before-the-move");
    const id = await backUp(from);
    const moved = place("after-the-move");
    await execute("mv", [from, moved]);
    await scan(moved);
    expect(await describeBackup(id)).toMatchObject({ repository: pathToFileURL(moved).href });
    expect((await describeBackup(id)).alsoIn).toBeUndefined();
  });
});

describe("a repository that says where its backups are copied to", () => {
  it("needs no --to, and is as it was once it says so no more", async () => {
    const from = place("says-where");
    const to = pathToFileURL(place("said-where")).href;
    const id = await backUp(from);
    const before = await readFile(join(from, "lc2-repository.json"), "utf8");
    expect(await line.json(["repository", "set-copy", from, "--to", "said-where"])).toMatchObject({
      copyTo: to,
    });
    expect(await line.json(["repository", "check", from])).toMatchObject({ copyTo: to });
    expect((await run(["repository", "scan", from])).stdout).toContain(`backups are copied to ${to}`);
    expect(await line.json(["backup", "copy", id])).toMatchObject({ to, wasThere: false });
    expect((await stat(join(place("said-where"), `backups/shop/${id}/metadata.json`))).isFile()).toBe(true);
    await line.json(["repository", "set-copy", from, "--none"]);
    expect(await readFile(join(from, "lc2-repository.json"), "utf8")).toBe(before);
    expectFailure(await run(["backup", "copy", id]), 2, "copy-target-unknown", /does not say/);
    const itself = await run(["repository", "set-copy", from, "--to", from]);
    expectFailure(itself, 3, "copy-to-itself", /Name another place/);
  });
});
