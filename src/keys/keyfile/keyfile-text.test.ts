import { randomBytes } from "node:crypto";

import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Failure } from "../../core/failure.ts";
import { printKeyLines } from "./key-lines.ts";
import { generateRecoveryKey, recoveryPublicHalf } from "./key-wrapping.ts";
import { keyId, parseKeyText, printKeyfile, printRecoveryKey } from "./keyfile-text.ts";
import type { Keyfile, ProjectKey } from "./keyfile-text.ts";

const parse = (text: string): Keyfile => parseKeyText(text, "the text", recoveryPublicHalf);

function makeKey(value: Buffer, state: ProjectKey["state"], day = 1): ProjectKey {
  return { id: keyId(value), createdAt: `2026-11-0${day}T02:00:00.000Z`, state, value };
}

function makeKeyfile(): Keyfile {
  const { publicKey, privateKey } = generateRecoveryKey();
  const createdAt = "2026-11-03T02:00:00.000Z";
  return {
    projectId: "retail",
    keys: [makeKey(randomBytes(32), "former", 1), makeKey(randomBytes(32), "current", 2)],
    recoveryPublicKey: { id: keyId(publicKey), createdAt, value: publicKey },
    recoveryPrivateKeys: [{ id: keyId(publicKey), createdAt, value: privateKey }],
  };
}

const failureOf = (text: string): Failure => {
  try {
    parse(text);
  } catch (error) {
    return error as Failure;
  }
  throw new Error("the text was taken");
};

/** The numbered line `number` of the first key, replaced. */
function withFirstRow(text: string, number: number, change: (row: string) => string): string {
  const lines = text.split("\n");
  const at = lines.findIndex((line) => line.startsWith(`${number}: `));
  lines[at] = change(lines[at] as string);
  return lines.join("\n");
}

test("the text form has not changed since version 1", () => {
  const value = Buffer.from(Array.from({ length: 32 }, (_, i) => i));
  const text = printKeyfile({
    projectId: "retail",
    keys: [makeKey(value, "current")],
    recoveryPrivateKeys: [],
  });
  expect(text.split("\n").filter((line) => !line.startsWith("#"))).toEqual([
    "",
    "lc2-project-key 1",
    "project: retail",
    "",
    "key: e08c6d3e17608c63",
    "created: 2026-11-01T02:00:00.000Z",
    "state: current",
    "1: AAAQ EAYE AUDA PR5I",
    "2: BAEQ UCYM BUHA 76VT",
    "3: CAIR EEYU CULB OHZL",
    "4: DAMR UGY4 DUPB 6DYA",
    "",
    "end",
    "",
  ]);
});

test("any keyfile is read as it was printed", () => {
  const bytes = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(fc.uniqueArray(bytes, { minLength: 1, maxLength: 4, selector: keyId }), (values) => {
      const keys = values.map((value, i) => makeKey(value, i === values.length - 1 ? "current" : "former"));
      const keyfile: Keyfile = { projectId: "retail", keys, recoveryPrivateKeys: [] };
      expect(parse(printKeyfile(keyfile))).toEqual(keyfile);
    }),
  );
});

test("a keyfile with both halves of a recovery key, and a recovery key alone, are read", () => {
  const keyfile = makeKeyfile();
  expect(parse(printKeyfile(keyfile))).toEqual(keyfile);
  const [recovery] = keyfile.recoveryPrivateKeys;
  if (recovery === undefined) throw new Error("no recovery key");
  expect(parse(printRecoveryKey("retail", recovery))).toEqual({
    projectId: "retail",
    keys: [],
    recoveryPrivateKeys: [recovery],
  });
});

describe("a text typed from paper", () => {
  const keyfile = makeKeyfile();
  const text = printKeyfile(keyfile);

  test("may be lower case, without comments, with other spaces and line ends", () => {
    const typed = text
      .split("\n")
      .filter((line) => !line.startsWith("#") && line !== "")
      .map((line) =>
        /^\d: /.test(line) ? `  ${line.toLowerCase().replaceAll(" ", "-").replace(":-", ":")}` : line,
      )
      .join("\r\n");
    expect(parse(typed)).toEqual(keyfile);
  });

  test("may have 0 for O, 1 for I and 8 for B", () => {
    const misread = withRows(text, (row) =>
      row.replaceAll("O", "0").replaceAll("I", "1").replaceAll("B", "8"),
    );
    expect(parse(misread)).toEqual(keyfile);
  });

  test("with one wrong character is refused, and the line is named", () => {
    const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let missed = 0;
    for (const number of [1, 2, 3, 4]) {
      for (let at = 3; at < 22; at += 1) {
        const wrong = withFirstRow(text, number, (row) => {
          const next = alphabet[(alphabet.indexOf(row[at] as string) + 1) % 32] as string;
          return row[at] === " " ? row : row.slice(0, at) + next + row.slice(at + 1);
        });
        if (wrong === text) continue;
        const failure = failureOf(wrong);
        expect(failure.code).toBe("keyfile-invalid");
        // The check is 16 bits: one error in 65,536 is left for the key's id to find.
        if (!failure.message.includes(`(line ${number} of key `)) missed += 1;
      }
    }
    expect(missed).toBeLessThanOrEqual(1);
  });

  test.each([
    ["a missing character", (row: string) => row.slice(0, -1), "15 characters"],
    ["a character too many", (row: string) => `${row}A`, "17 characters"],
    ["a character that no key has", (row: string) => row.slice(0, -1) + "9", 'the character "9"'],
  ])("with %s says so", (_, change, words) => {
    expect(failureOf(withFirstRow(text, 3, change)).message).toContain(words);
  });

  test("with two lines swapped is refused", () => {
    const [first, second] = ["1", "2"].map((n) => text.split("\n").find((line) => line.startsWith(`${n}: `)));
    const swapped = withFirstRow(
      withFirstRow(text, 1, () => `1: ${second?.slice(3)}`),
      2,
      () => `2: ${first?.slice(3)}`,
    );
    expect(failureOf(swapped).message).toContain("line 1 of key");
  });

  test("with any line left out is refused or means the same", () => {
    const lines = text.split("\n");
    const without = (at: number): string => lines.filter((_, i) => i !== at).join("\n");
    const isComment = (at: number): boolean => lines[at] === "" || lines[at]?.startsWith("#") === true;
    const positions = lines.map((_, at) => at);
    for (const at of positions.filter(isComment)) expect(parse(without(at))).toEqual(keyfile);
    for (const at of positions.filter((one) => !isComment(one))) {
      expect(failureOf(without(at)).code).toBe("keyfile-invalid");
    }
  });

  test("that ends early, at any line, is refused", () => {
    const lines = text.trimEnd().split("\n");
    for (let count = 0; count < lines.length; count += 1) {
      expect(failureOf(lines.slice(0, count).join("\n")).code).toBe("keyfile-invalid");
    }
  });
});

function withRows(text: string, change: (row: string) => string): string {
  return text.replaceAll(/^[1-4]: .*$/gm, (row) => row.slice(0, 3) + change(row.slice(3)));
}

describe("what is not a keyfile is refused with its reason", () => {
  const value = Buffer.alloc(32, 7);
  const other = Buffer.alloc(32, 8);
  const text = printKeyfile({
    projectId: "retail",
    keys: [makeKey(value, "current")],
    recoveryPrivateKeys: [],
  });

  test.each([
    [
      "another value under the id",
      text.replaceAll(/(?:^[1-4]: .*\n?){4}/gm, `${printKeyLines(other).join("\n")}\n`),
      "belongs to a different key",
    ],
    ["no text", "", "not a keyfile"],
    ["another kind of file", "-----BEGIN PRIVATE KEY-----\n", "begins with something else"],
    ["no current key", text.replace("state: current", "state: former"), "0 current keys"],
    [
      "a key twice",
      text.replace(
        "\nend",
        `\nkey: ${keyId(value)}\ncreated: 2026-11-01\nstate: former\n${printKeyLines(value).join("\n")}\nend`,
      ),
      "twice",
    ],
    ["a project that is a path", text.replace("project: retail", "project: ../../etc"), "no valid project"],
    [
      "something else between",
      text.replace("state: current", "state: current\ncolour: blue"),
      "does not belong",
    ],
    ["more after the end", `${text}more`, "after its end"],
  ])("%s", (_, broken, words) => {
    const failure = failureOf(broken);
    expect(failure.code).toBe("keyfile-invalid");
    expect(failure.message).toContain(words);
  });

  test("a newer version is called newer", () => {
    expect(failureOf(text.replace("lc2-project-key 1", "lc2-project-key 2")).code).toBe("format-too-new");
  });

  test("no message holds a line of the key", () => {
    const failure = failureOf(
      withFirstRow(text, 2, (row) => `${row.slice(0, -1)}${row.endsWith("A") ? "B" : "A"}`),
    );
    for (const group of printKeyLines(value).flatMap((line) => line.slice(3).split(" "))) {
      expect(failure.message).not.toContain(group);
    }
  });
});
