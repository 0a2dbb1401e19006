import { describe, expect, it } from "vitest";
import { parseKeyring } from "./keyring.ts";

const entry = {
  check: "0123456789abcdef",
  wrapped: [{ kind: "project", id: "0123456789abcdef", wrapped: "AA==" }],
};
const keyring = {
  format: "lc2-keyring",
  formatVersion: 1,
  projectId: "retail",
  backupId: "backup-20261124-020000-3f9c2a",
  keys: { data: entry, files: entry },
  references: {},
};
const parse = (value: unknown) =>
  parseKeyring(JSON.stringify(value), "retail", "backup-20261124-020000-3f9c2a");

describe("a keyring", () => {
  it("is read when it is in its form", () => {
    expect(parse(keyring)).toEqual(keyring);
  });

  it.each([
    ["of another project", { ...keyring, projectId: "other" }, /belongs to other/],
    ["of another backup", { ...keyring, backupId: "backup-20250101-000000-000000" }, /belongs to retail/],
    ["without a key", { ...keyring, keys: { data: entry } }, /.+/],
    ["that is no keyring", { hello: "world" }, /.+/],
    ["that is null", null, /.+/],
  ])("%s is damaged", (_, value, says) => {
    expect(() => parse(value)).toThrow(expect.objectContaining({ code: "keyring-damaged" }));
    expect(() => parse(value)).toThrow(says);
  });

  it("that is not JSON is damaged, and one of a newer format is refused", () => {
    expect(() => parseKeyring("{", "retail", "x")).toThrow(
      expect.objectContaining({ code: "keyring-damaged" }),
    );
    expect(() => parse({ ...keyring, formatVersion: 2 })).toThrow(
      expect.objectContaining({ code: "format-too-new" }),
    );
  });
});
