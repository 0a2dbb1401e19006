import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ArchiveWalker, type ArchiveSummary } from "./archive-walker.ts";
import { parseToc } from "./archive.ts";
import {
  archive,
  block,
  entry,
  head,
  int,
  objectsBlock,
  type EntryParts,
} from "../../../test/support/synthetic-archive.ts";

const terminator = "\\.\n\n\n";
const tables: EntryParts[] = [
  { dumpId: 10, desc: "TABLE DATA", oid: 100, namespace: "public", tag: "a", hadDumper: true },
  { dumpId: 11, desc: "TABLE DATA", oid: 101, namespace: "s ü", tag: 'b"x', hadDumper: true },
];
const objects: EntryParts = { dumpId: 12, desc: "BLOBS", oid: 0, tag: "BLOBS", hadDumper: true };

function walk(bytes: Buffer, cuts: readonly number[] = []): ArchiveSummary {
  const walker = new ArchiveWalker();
  let from = 0;
  for (const cut of [...cuts]
    .sort((a, b) => a - b)
    .map((at) => at % (bytes.length + 1))
    .toSorted((a, b) => a - b)) {
    // A copy that is spoilt afterwards: the walker must keep nothing of it.
    const piece = Buffer.from(bytes.subarray(from, cut));
    walker.push(piece);
    piece.fill(0xff);
    from = cut;
  }
  walker.push(bytes.subarray(from));
  return walker.end();
}

const rowText = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("", "\\\\.", "1234", "\\.x", "x".repeat(300)),
);
const row = rowText.map((text) => `${text.replaceAll("\n", "\\n")}\n`).filter((text) => text !== "\\.\n");

describe("walking an archive", () => {
  test("counts rows and bytes of every table, wherever the chunks are cut", () => {
    fc.assert(
      fc.property(fc.array(row), fc.array(row), fc.array(fc.nat()), (first, second, cuts) => {
        const bytes = archive(tables, [
          block(10, [...first, terminator]),
          block(11, [...second, terminator]),
        ]);
        const summary = walk(bytes, cuts);
        expect(summary.tables).toEqual([
          {
            oid: 100,
            schema: "public",
            name: "a",
            rows: first.length,
            bytes: Buffer.byteLength(first.join("")),
          },
          {
            oid: 101,
            schema: "s ü",
            name: 'b"x',
            rows: second.length,
            bytes: Buffer.byteLength(second.join("")),
          },
        ]);
        expect(summary.bytes).toBe(bytes.length);
        expect(summary.headBytes).toBe(head(tables).length);
      }),
    );
  });

  test("counts newlines where a newer tool gathers rows into larger chunks", () => {
    const anyVersion = fc.constantFrom("18.6", "19.1", "devel");
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1 }),
        fc.integer({ min: 1, max: 700 }),
        fc.array(fc.nat()),
        anyVersion,
        (rows, size, cuts, version) => {
          const text = Buffer.from(rows.join("") + terminator);
          // One row a chunk is the other form; here the whole, or pieces that do not end where rows end.
          const pieces: Buffer[] = [];
          for (let at = 0; at < text.length; at += size) pieces.push(text.subarray(at, at + size));
          fc.pre(version !== "18.6" || !(pieces[0]?.indexOf(10) === (pieces[0]?.length ?? 0) - 1));
          const only = tables.slice(0, 1);
          const summary = walk(archive(only, [block(10, pieces)], { dumpVersion: version }), cuts);
          expect(summary.tables[0]?.rows).toBe(rows.length);
          expect(summary.tables[0]?.bytes).toBe(text.length - terminator.length);
        },
      ),
    );
  });

  test("counts large objects and their bytes, object ids above 2^31 included", () => {
    const bytes = archive(
      [objects],
      [
        objectsBlock(12, [
          [5, ["abc", "de"]],
          [-1_294_967_296, []],
          [7, ["x"]],
        ]),
      ],
    );
    expect(walk(bytes, [3, 70, 90, 100]).largeObjects).toEqual({ count: 3, bytes: 6 });
  });

  test("reads the values of sequences, with the oid of the sequence they belong to", () => {
    const entries: EntryParts[] = [
      { dumpId: 3, desc: "SEQUENCE", oid: 333, namespace: "public", tag: "s", hadDumper: false },
      {
        dumpId: 4,
        desc: "SEQUENCE SET",
        oid: 0,
        namespace: "public",
        tag: "s",
        hadDumper: false,
        dependencies: [3],
        defn: "SELECT pg_catalog.setval('public.s', -42, false);\n",
      },
    ];
    const expected = [{ oid: 333, schema: "public", name: "s", lastValue: "-42", isCalled: false }];
    expect(walk(archive(entries, [])).sequences).toEqual(expected);
  });
});

describe("an archive that is not whole is refused", () => {
  const whole = archive(
    [...tables, objects],
    [block(10, ["1\n", "2\n", terminator]), objectsBlock(12, [[5, ["abc"]]]), block(11, [terminator])],
  );

  test("cut at any byte", () => {
    expect(walk(whole).tables).toHaveLength(2);
    for (let length = 0; length < whole.length; length++) {
      expect(() => walk(whole.subarray(0, length)), `cut to ${length}`).toThrow(
        expect.objectContaining({ code: "dump-incomplete" }),
      );
    }
  });

  const cases: [string, Buffer][] = [
    ["no end mark", archive(tables.slice(0, 1), [block(10, ["1\n", "2\n"])])],
    ["a row without its newline", archive(tables.slice(0, 1), [block(10, ["1\n", "2", "3\n", terminator])])],
    ["a block twice", archive(tables.slice(0, 1), [block(10, [terminator]), block(10, [terminator])])],
    ["a block of an entry that has none", archive(tables, [block(99, [terminator])])],
    ["a block of an unknown kind", archive(tables, [Buffer.from([7])])],
    ["rows where large objects belong", archive([objects], [block(12, [terminator])])],
    ["a negative length", archive(tables, [Buffer.concat([Buffer.from([1]), int(10), int(-5)])])],
    ["something else in front", Buffer.from("-- PostgreSQL database dump")],
  ];
  test.each(cases)("%s", (_, bytes) => {
    expect(() => walk(bytes)).toThrow(expect.objectContaining({ code: "dump-incomplete" }));
  });

  test("a compressed one is a defect of ours", () => {
    expect(() => walk(archive([], [], { compression: 1 }))).toThrow(
      expect.objectContaining({ code: "internal" }),
    );
  });
});

describe("the table of contents", () => {
  test.each([14, 15, 16])("of archive version 1.%i is read with every field", (minor) => {
    const parts: EntryParts = {
      dumpId: 7,
      desc: "TABLE",
      oid: 5,
      namespace: "public",
      tag: "t ü",
      hadDumper: false,
      section: 2,
      tableOid: 1259,
      defn: "CREATE TABLE …;\n",
      dropStmt: "DROP TABLE …;\n",
      copyStmt: "COPY …",
      tablespace: "fast",
      tableam: "heap",
      relkind: "p",
      owner: "o",
      dependencies: [3, 4],
    };
    const toc = parseToc(Buffer.concat([head([parts], { minor }), Buffer.from("rest")]));
    expect(toc).toMatchObject({
      archiveVersion: `1.${minor}`,
      compression: "none",
      databaseName: "db",
      entryCount: 1,
    });
    expect(toc.headBytes).toBe(head([parts], { minor }).length);
    const { relkind, ...others } = { ...parts, section: "pre-data" };
    expect(toc.entries).toEqual([minor === 16 ? { ...others, relkind } : others]);
  });

  test("in another encoding is decoded by its own ENCODING entry", () => {
    const encoding: EntryParts = {
      dumpId: 1,
      desc: "ENCODING",
      tag: "ENCODING",
      oid: 0,
      hadDumper: false,
      defn: "SET client_encoding = 'LATIN1';\n",
    };
    const named = entry({ dumpId: 2, desc: "TABLE", tag: "caf#", oid: 1, hadDumper: false }, 16);
    named[named.indexOf("#")] = 0xe9;
    const bytes = Buffer.concat([head([encoding], { entryCount: 2 }), named]);
    expect(parseToc(bytes).entries[1]?.tag).toBe("café");
  });

  test("of a newer version than we know is refused as such", () => {
    expect(() => parseToc(head([], { minor: 17 }))).toThrow(
      expect.objectContaining({ code: "format-too-new" }),
    );
    expect(() => parseToc(head([], { minor: 13 }))).toThrow(
      expect.objectContaining({ code: "data-damaged" }),
    );
  });

  test("does not wait for the gigabytes that a damaged length promises", () => {
    const bytes = Buffer.concat([head([], { entryCount: 1 }), int(1), int(0), int(0x7fffffff)]);
    expect(() => parseToc(bytes)).toThrow(/string of 2147483647 bytes/);
  });
});
