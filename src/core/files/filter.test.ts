import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodeKey, encodeName } from "../repository/manifest.ts";
import {
  compileFilter,
  compilePatterns,
  narrowFilter,
  textsInMatches,
  wholeSource,
  type FileFilterSpec,
} from "./filter.ts";

const filter = (spec: Partial<FileFilterSpec>) => compileFilter({ ...wholeSource, ...spec });

describe("patterns", () => {
  test.each<[pattern: string, matching: string[], others: string[]]>([
    [
      "*/thumbnails/*",
      ["a/thumbnails/x.jpg", "thumbnails/x", "a/b/thumbnails/c/d"],
      ["a/thumbnails/", "a/thumbnails.txt", "a/mythumbnails/x"],
    ],
    ["*/.cache/*", ["a/.cache/x", ".cache/y/z"], ["a/xcache/x", ".cache/"]],
    ["*.tmp", ["x.tmp", "a/b/x.tmp", "dir.tmp/below"], ["x.tmp2", "tmp"]],
    ["/*.tmp", ["x.tmp"], ["a/x.tmp"]],
    ["cache/", ["cache/", "cache/x", "a/cache/x/y"], ["cache", "a/cache", "xcache/y"]],
    ["cache", ["cache", "cache/", "cache/x", "a/cache"], ["cache2", "acache"]],
    ["/a/b", ["a/b", "a/b/", "a/b/c"], ["x/a/b", "a/bc"]],
    ["a/**/z", ["a/z", "a/b/z", "q/a/b/c/z/below"], ["a/bz", "az"]],
    ["**/logs/**", ["logs/x", "a/logs/x/y"], ["logs/", "a/logs/"]],
    ["/a/**", ["a/x", "a/x/y"], ["a/", "b/a/x"]],
    [
      "file-?.txt",
      ["file-1.txt", "file-ä.txt", "file-\u{1f600}.txt"],
      ["file-12.txt", "file-.txt", "file-/.txt"],
    ],
    ["a?b", ["axb"], ["a/b"]],
    ["literal\\*", ["literal*"], ["literalx"]],
    ["50%+(1)[x]{y}|$", ["50%+(1)[x]{y}|$"], ["50%+(1)x"]],
    ["Ä*", ["Ärger", "x/Ä"], ["ärger"]],
    ["a*z", ["az", "abcz"], ["a/z", "ab/cz"]],
    ["a**z", ["az", "ab/cz"], ["ab/c"]],
  ])("%s", (pattern, matching, others) => {
    const matches = compilePatterns([pattern]);
    expect(matching.filter((key) => !matches(encodeKey(key)))).toEqual([]);
    expect(others.filter((key) => matches(encodeKey(key)))).toEqual([]);
    const [text = ""] = textsInMatches([pattern]) ?? [];
    expect(matching.filter((key) => !key.includes(text))).toEqual([]);
  });

  test("say what every match contains, as it stands in a line of a manifest", () => {
    // What stands in a pattern, and what that matches.
    const piece = fc.constantFrom(
      ...["a", "b", " ", "é", '"', ".", "/"].map((character) => [character, character] as const),
      ["*", ""] as const,
      ["*", "xy"] as const,
      ["?", "é"] as const,
      ["**", "x/y"] as const,
      ["\\*", "*"] as const,
      ["**/", ""] as const,
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 8 }), (pieces) => {
        const [pattern, key] = [0, 1].map((side) => pieces.map((pair) => pair[side]).join("")) as [
          string,
          string,
        ];
        fc.pre(key !== "" && compilePatterns([pattern])(encodeKey(key)));
        const line = encodeName("key", encodeKey(key));
        expect(textsInMatches([pattern])?.some((text) => line.includes(text)) ?? true).toBe(true);
      }),
    );
  });

  test.each([
    [["documents/0050/**"], ["documents/0050/"]],
    [
      ["/a/long/*.tmp", "*.pdf"],
      ["a/long/", ".pdf"],
    ],
    [["*", "a"], undefined],
    [["caf\u00e9/menu"], ["/menu"]],
  ])("%j have %j in every match", (patterns, texts) => {
    expect(textsInMatches(patterns)).toEqual(texts);
  });

  test("match names that are not UTF-8 byte by byte", () => {
    expect(compilePatterns(["caf?"])("caf\xe9")).toBe(true);
    expect(compilePatterns(["*.txt"])("\xff\xfe.txt")).toBe(true);
  });

  test("match names with newlines", () => {
    expect(compilePatterns(["a*"])("a\nb")).toBe(true);
    expect(compilePatterns(["a"])("a\n")).toBe(false);
  });

  test("that are empty match nothing", () => {
    expect(compilePatterns([""])("a")).toBe(false);
    expect(compilePatterns([])("a")).toBe(false);
  });
});

describe("a filter", () => {
  test("without patterns includes everything", () => {
    expect(filter({}).includes("a/b")).toBe(true);
    expect(filter({}).folder("a/")).toBe("enter");
  });

  test("ties paths to the root, patterns to any depth", () => {
    const paths = filter({ excludePaths: ["sites/default/files/tmp/"] });
    expect(paths.includes("sites/default/files/tmp/x")).toBe(false);
    expect(paths.includes("web/sites/default/files/tmp/x")).toBe(true);
    const patterns = filter({ excludePatterns: ["sites/default/files/tmp/"] });
    expect(patterns.includes("web/sites/default/files/tmp/x")).toBe(false);
  });

  test("leaves out whole folders where it can", () => {
    const { folder } = filter({ excludePatterns: ["*/thumbnails/*", "cache/"], excludePaths: ["/a/tmp"] });
    expect(folder("x/thumbnails/")).toBe("keep-empty");
    expect(folder("x/cache/")).toBe("leave-out");
    expect(folder("a/tmp/")).toBe("leave-out");
    expect(folder("a/")).toBe("enter");
  });

  test("with includePaths takes them and the folders above them, nothing beside", () => {
    const spec = {
      includePaths: ["sites/default/files/", "sites/*/private/"],
      excludePaths: ["sites/default/files/css/"],
    };
    const { folder, includes } = filter(spec);
    expect(["sites/", "sites/default/", "sites/other/", "sites/default/files/"].map(folder)).toEqual(
      Array(4).fill("enter"),
    );
    expect(folder("modules/")).toBe("leave-out");
    expect(folder("sites/default/files/css/")).toBe("leave-out");
    expect(includes("sites/default/settings.php")).toBe(false);
    expect(includes("sites/default/files/a/b.pdf")).toBe(true);
    expect(includes("sites/b/private/x")).toBe(true);
    expect(includes("sites/default/files/css/x.css")).toBe(false);
    expect(includes("sites/default/")).toBe(true);
    expect(includes("other/")).toBe(false);
  });

  test("with a deep include looks into every folder that may hold it", () => {
    const { folder, includes } = filter({ includePaths: ["a/**/keep"] });
    expect(folder("a/")).toBe("enter");
    expect(folder("a/x/y/")).toBe("enter");
    expect(folder("b/")).toBe("leave-out");
    expect(includes("a/x/keep/z")).toBe(true);
    expect(includes("a/x/z")).toBe(false);
  });
});

describe("a narrowed filter", () => {
  test("includes what begins with the prefix, and enters the folders that lead there", () => {
    const all = filter({ excludePatterns: ["*.tmp"] });
    const { folder, includes, prefix } = narrowFilter(all, "a/b/");
    expect(["a/b/x", "a/b/x.tmp", "a/c"].map(includes)).toEqual([true, false, false]);
    expect(["a/", "a/b/", "a/b/c/", "a/c/"].map(folder)).toEqual(["enter", "enter", "enter", "leave-out"]);
    expect(prefix).toBe("a/b/");
    expect(narrowFilter(all, "")).toBe(all);
  });
});
