/** A document library as a CMS keeps it, with every odd thing that file systems allow. */
import { createCipheriv, createHash } from "node:crypto";
import { chmodSync, lutimesSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { createProseWriter, seededRandom } from "./prose.ts";

export interface FileCounts {
  readonly documents: number;
  /** Thumbnails, previews and cache files that the application can make again. */
  readonly generatedPerDocument: number;
  readonly largeFiles: number;
  readonly largeFileKib: number;
}

export interface FolderSummary {
  readonly files: number;
  readonly bytes: number;
}

/** Endless bytes that look random, the same for the same seed. */
function seededBytes(seed: number): (length: number) => Buffer {
  const key = createHash("sha256").update(`lc2 ${seed}`).digest();
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  return (length) => cipher.update(Buffer.alloc(length));
}

/**
 * Fills a folder, made when missing: `{companyId}/{repositoryId}/{folder}/{name}/{version}` as Liferay's file
 * store lays documents out, generated files beside them, old modification times, all kinds of modes, links
 * and names. Not idempotent.
 */
export async function fillFolder(
  folder: string,
  counts: FileCounts,
  options: { readonly seed: number; readonly oddNames: boolean },
): Promise<FolderSummary> {
  const writer = createFileWriter(folder, options.seed);
  const prose = createProseWriter(options.seed + 1);
  const texts = Array.from({ length: Math.min(400, counts.documents) }, () => prose.paragraph(1_500));
  const random = seededRandom(options.seed + 2);
  const noise = seededBytes(options.seed);

  for (let i = 0; i < counts.documents; i++) {
    const versions = 1 + (i % 5 === 0 ? 2 : 0);
    const home = `20097/2010${i % 4}/${100 + (i % 37)}/${40_000 + i}`;
    for (let version = 0; version < versions; version++) {
      const sizeBytes = Math.floor(300 + random() ** 4 * 60_000);
      const text = `${texts[i % texts.length] ?? ""}\nversion ${version}\n`;
      const content =
        i % 3 === 0 ? noise(sizeBytes) : Buffer.from(text.repeat(Math.ceil(sizeBytes / text.length)));
      writer.file(`${home}/1.${version}`, content);
    }
    for (let made = 0; made < counts.generatedPerDocument; made++) {
      const kind = ["thumbnails", "previews", ".cache"][(i + made) % 3] ?? ".cache";
      writer.file(
        `20097/2010${i % 4}/${kind}/${40_000 + i}-${made}.png`,
        noise(Math.floor(2_000 + random() * 6_000)),
      );
    }
    if (i % 200 === 0) await yieldToOthers();
  }
  for (let i = 0; i < counts.largeFiles; i++) {
    const half = noise(counts.largeFileKib * 512);
    writer.file(
      `20097/20101/videos/${i + 1}/1.0`,
      Buffer.concat([half, Buffer.alloc(half.length, `${i} plain `)]),
    );
    await yieldToOthers();
  }
  writePlainOddities(writer);
  if (options.oddNames) writeOddNames(writer);
  writer.finish();
  return writer.summary;
}

function writePlainOddities(writer: FileWriter): void {
  writer.file("empty file", Buffer.alloc(0));
  writer.file("modes/private", Buffer.from("0600"), 0o600);
  writer.file("modes/read-only", Buffer.from("0444"), 0o444);
  writer.file("modes/program", Buffer.from("#!/bin/sh\n"), 0o755);
  writer.file("modes/group", Buffer.from("0640"), 0o640);
  writer.file("a/b", Buffer.from("a folder a"));
  writer.file("a.txt", Buffer.from("sorts between a and a/b"));
  writer.file("a-", Buffer.from("before a/ in byte order"));
  writer.folder("empty folder");
  writer.folder("closed folder", 0o700);
  writer.link("link to a file", "a/b");
  writer.link("link to a folder", "a");
  writer.link("a/dangling link", "../nowhere/at all");
  writer.link("link out of the folder", "/etc/hostname");
  writer.link("circular link", "circular link");
}

function writeOddNames(writer: FileWriter): void {
  const names: (string | Buffer)[] = [
    "-rf",
    "--help",
    " leading and trailing ",
    "new\nline",
    "tab\tand\rreturn",
    "quote'\"`$(date)",
    "back\\slash",
    "*?[a-z]{x,y}",
    "...",
    "#hash;semi&and|pipe",
    "%2e%2e%2f",
    "caf\u00e9", // one code point
    "cafe\u0301", // two: another file
    "名前 – имя – اسم",
    "👩‍👩‍👧",
    "\u{10000}", // sorts after U+E000 in UTF-8, before it in UTF-16
    "\ue000",
    "x".repeat(255),
    "ä".repeat(127),
    Buffer.from([0x6e, 0x6f, 0x74, 0x2d, 0x75, 0x74, 0x66, 0x38, 0x2d, 0xff, 0xfe]),
    Buffer.from([0xc0, 0x80]),
    "con",
    "NUL.txt.",
  ];
  for (const name of names)
    writer.file(name, Buffer.from(`named ${Buffer.from(name).toString("hex")}\n`), 0o644, "odd names");
  writer.file("in a folder\nwith a newline", Buffer.from("x"), 0o644, "odd names/deep \n folder");
  writer.link("odd names/link with\nnewline", Buffer.from([0x62, 0xff]));
}

interface FileWriter {
  readonly summary: FolderSummary;
  file(name: string | Buffer, content: Buffer, mode?: number, below?: string): void;
  folder(name: string, mode?: number): void;
  link(name: string, target: string | Buffer): void;
  /** Gives the folders made their times, once nothing more is written into them. */
  finish(): void;
}

function createFileWriter(root: string, seed: number): FileWriter {
  const random = seededRandom(seed + 3);
  /** Seconds between 2015 and 2024, each with a fraction. */
  const someTime = () =>
    1_420_070_400 + Math.floor(random() * 283_996_800) + Math.floor(random() * 1000) / 1000;
  const folders = new Map<string, number>();
  const summary = { files: 0, bytes: 0 };
  const makeFolder = (path: string, mode = 0o755) => {
    if (folders.has(path)) return;
    const above = path.slice(0, path.lastIndexOf("/"));
    if (path !== root) makeFolder(above);
    mkdirSync(path, { recursive: path === root });
    chmodSync(path, mode);
    folders.set(path, someTime());
  };
  return {
    summary,
    file(name, content, mode = 0o644, below) {
      const path = Buffer.concat([
        Buffer.from(`${root}/${below === undefined ? "" : `${below}/`}`),
        Buffer.from(name),
      ]);
      const text = path.toString("latin1");
      makeFolder(Buffer.from(text.slice(0, text.lastIndexOf("/")), "latin1").toString("utf8"));
      writeFileSync(path, content, { flag: "wx" });
      chmodSync(path, mode);
      const time = someTime();
      utimesSync(path, time, time);
      summary.files += 1;
      summary.bytes += content.length;
    },
    folder: (name, mode) => makeFolder(`${root}/${name}`, mode),
    link(name, target) {
      symlinkSync(target, `${root}/${name}`);
      const time = someTime();
      lutimesSync(`${root}/${name}`, time, time);
    },
    finish() {
      for (const [path, time] of [...folders].toReversed()) utimesSync(path, time, time);
    },
  };
}
