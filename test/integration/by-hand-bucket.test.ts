/** Backups of buckets and in buckets, read with public tools alone. */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { openCommandLine, type CommandLine } from "../support/command-line.ts";
import { runPython } from "../support/python.ts";
import { useS3Server, type S3Server, type TestBucket } from "../support/s3-servers.ts";

const execute = promisify(execFile);
const script = fileURLToPath(new URL("../../docs/operations/restore-by-hand.sh", import.meta.url));

/** Holds every key, even those that no file system does. */
let odd: S3Server;
let s3: S3Server;
let python: { LC2_BY_HAND_PYTHON: string; PYTHONPATH: string };

beforeAll(async () => {
  odd = await useS3Server("moto");
  s3 = await useS3Server("versitygw");
  const program = (await runPython("import sys; print(sys.executable)")).stdout.trim();
  const path = (await runPython("import sys; print(':'.join(p for p in sys.path if p))")).stdout.trim();
  python = { LC2_BY_HAND_PYTHON: program, PYTHONPATH: path };
});

/** Key → content; a folder can hold the first two at most. */
const contents: readonly (readonly [key: string, body: string])[] = [
  ["docs/a.pdf", "a usual key"],
  ["docs/größe.txt", "not ASCII"],
  ["/leading", "a slash at the beginning"],
  ["docs//a.pdf", "an empty segment"],
  ["docs/../../escape", "leads out of the folder"],
  ["docs/./a.pdf", "a dot"],
  ["both", "an object"],
  ["both/below", "below an object"],
  ["both-", "sorts between the two"],
  ["data/", "content under a folder's name"],
  [`long/${"x".repeat(300)}`, "a long segment"],
  ["marker/", ""],
];

async function backUp(
  lc2: CommandLine,
  bucket: TestBucket,
  repository: string,
  more: readonly string[] = [],
): Promise<string> {
  const words = [
    "backup",
    "create",
    "--project",
    "retail",
    "--bucket",
    bucket.url,
    "--repository",
    repository,
    ...more,
  ];
  return String((await lc2.json(words, s3.environment))["backupId"]);
}

async function byHand(lc2: CommandLine, repository: string, backupId: string, out: string) {
  const keyfile = join(lc2.folder, "paper.key");
  await writeFile(keyfile, (await lc2.run(["key", "export", "--project", "retail"])).stdout);
  return await execute("bash", [script, repository, "retail", backupId, keyfile, out], {
    env: { PATH: process.env["PATH"] ?? "", ...python },
  });
}

interface Listed {
  readonly key: string;
  readonly file: string;
  readonly object: { readonly contentType?: string; readonly metadata?: object };
}

async function readListed(out: string): Promise<Listed[]> {
  const text = await readFile(join(out, "objects.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Listed);
}

describe("by hand", () => {
  it("every object of a bucket comes back, whatever its key, and nothing overwrites anything", async () => {
    await using lc2 = await openCommandLine();
    const bucket = await odd.freshBucket();
    for (const [key, body] of contents)
      await bucket.put(key, body, { ContentType: "text/x-odd", Metadata: { author: "anne" } });
    const backupId = await backUp(lc2, bucket, lc2.repository);
    const out = join(lc2.folder, "out");
    const { stdout } = await byHand(lc2, lc2.repository, backupId, out);
    expect(stdout).toContain("whose keys no folder can hold");

    const listed = await readListed(out);
    expect(listed.map(({ key }) => key).sort()).toEqual(contents.map(([key]) => key).sort());
    expect(new Set(listed.map(({ file }) => file)).size).toBe(contents.length);
    for (const { key, file, object } of listed) {
      expect(object).toMatchObject({ contentType: "text/x-odd", metadata: { author: "anne" } });
      if (key === "marker/") continue;
      expect(file).toMatch(/^(files|odd-keys)\//);
      expect(await readFile(join(out, file), "utf8"), key).toBe(new Map(contents).get(key));
    }
    expect(listed.find(({ key }) => key === "docs/a.pdf")?.file).toBe("files/docs/a.pdf");
    expect(await readdir(dirname(out))).not.toContain("escape");
  });

  it.each([
    ["lc2", "versitygw", []],
    ["the store", "minio", ["--encryption", "server", "--kms-key", "lc2"]],
  ] as const)(
    "a repository in a bucket, encrypted by %s, is read once it is copied into a folder",
    async (_who, kind, encryption) => {
      await using lc2 = await openCommandLine();
      const server = await useS3Server(kind);
      const [source, place] = [await server.freshBucket(), await server.freshBucket()];
      await source.put("first", "first ".repeat(100));
      await source.put("large", "large ".repeat(300_000));
      await backUp(lc2, source, place.url, encryption);
      await source.put("line\nbreak", "a line break");
      await source.put("second", "second ".repeat(100));
      const backupId = await backUp(lc2, source, place.url);

      const copied = join(lc2.folder, "copied");
      for (const key of await place.keys()) {
        await mkdir(dirname(join(copied, key)), { recursive: true });
        await writeFile(join(copied, key), await place.getBytes(key));
      }
      const out = join(lc2.folder, "out");
      await byHand(lc2, copied, backupId, out);
      expect(await readFile(join(out, "files", "first"), "utf8")).toBe("first ".repeat(100));
      expect(await readFile(join(out, "files", "large"), "utf8")).toBe("large ".repeat(300_000));
      expect(await readFile(join(out, "files", "line\nbreak"), "utf8")).toBe("a line break");
      expect(await readFile(join(out, "files", "second"), "utf8")).toBe("second ".repeat(100));
      await expect(byHand(lc2, copied, backupId, out)).rejects.toThrow(/is not empty/);
      await expect(byHand(lc2, place.url, backupId, `${out}-2`)).rejects.toThrow(
        /copy the bucket into a folder/,
      );
    },
  );
});
