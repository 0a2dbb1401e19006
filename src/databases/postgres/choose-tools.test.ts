import { describe, expect, test } from "vitest";
import { chooseTools, type ToolFolder } from "./choose-tools.ts";

const folders = (...majors: number[]): ToolFolder[] =>
  majors.map((major) => ({ directory: `/pg${major}/bin`, major, version: `${major}.1` }));

describe("client tools for a backup", () => {
  test("are the server's own major where that is there, the first folder of equal ones", () => {
    const second = { directory: "/other", major: 16, version: "16.9" };
    const chosen = chooseTools([...folders(15, 17, 16), second], { serverMajor: 16, purpose: "backup" });
    expect(chosen).toEqual(folders(16)[0]);
  });

  test("are else the next newer ones, said in a note", () => {
    const chosen = chooseTools(folders(14, 18, 16), { serverMajor: 15, purpose: "backup" });
    expect([chosen.major, chosen.note]).toEqual([16, expect.stringContaining("next newer")]);
  });

  test("warn where what they write cannot be restored into the same major", () => {
    const chosen = chooseTools(folders(17), { serverMajor: 15, purpose: "backup" });
    expect(chosen.note).toContain("cannot be restored into 15 again");
  });

  test("are never older ones, even when asked for by name", () => {
    const ask = (major?: number): unknown =>
      chooseTools(folders(15, 16), { serverMajor: 17, purpose: "backup", major });
    for (const major of [undefined, 16]) {
      expect(() => ask(major)).toThrow(expect.objectContaining({ code: "tools-missing" }));
    }
  });
});

describe("client tools for a restore", () => {
  test("set nothing that the server does not know: at most 16 for servers before 17", () => {
    expect(chooseTools(folders(17, 16), { serverMajor: 15, purpose: "restore" }).major).toBe(16);
    expect(() => chooseTools(folders(17, 18), { serverMajor: 15, purpose: "restore" })).toThrow(/15 to 16/);
    expect(chooseTools(folders(18), { serverMajor: 17, purpose: "restore" }).major).toBe(18);
  });

  test("can read the archive", () => {
    const wish = { serverMajor: 15, purpose: "restore" } as const;
    expect(chooseTools(folders(15, 16), { ...wish, archiveMajor: 16 }).major).toBe(16);
    expect(() => chooseTools(folders(15, 16, 17), { ...wish, archiveMajor: 17 })).toThrow(
      /written by version 17/,
    );
    expect(chooseTools(folders(17), { serverMajor: 17, purpose: "restore", archiveMajor: 18 }).major).toBe(
      17,
    );
  });
});
