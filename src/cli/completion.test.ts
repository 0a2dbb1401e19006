import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commandTree } from "./command-tree.ts";
import { completionScript } from "./completion.ts";

const folder = mkdtempSync(join(tmpdir(), "lc2-completion-"));
const script = join(folder, "lc2.bash");
beforeAll(() => writeFileSync(script, completionScript("bash", commandTree)));
afterAll(() => rmSync(folder, { recursive: true }));

/** What bash offers for the last word. */
function offered(...words: string[]): string[] {
  // compopt works only while bash itself completes.
  const program = `
    compopt() { :; }
    source "$1"; shift
    COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); _lc2
    (( \${#COMPREPLY[@]} == 0 )) || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync("bash", ["-u", "-c", program, "bash", script, ...words], {
    encoding: "utf8",
    cwd: folder,
  });
  return output.split("\n").filter((line) => line !== "");
}

test("bash is offered nouns, verbs and verbs of verbs", () => {
  expect(offered("lc2", "")).toEqual(expect.arrayContaining(["backup", "restore", "doctor"]));
  expect(offered("lc2", "")).not.toContain("worker");
  expect(offered("lc2", "backup", "de")).toEqual(["describe", "delete"]);
  expect(offered("lc2", "key", "recovery", "")).toEqual(["create"]);
});

test("bash is offered the options of the command that the words name", () => {
  expect(offered("lc2", "backup", "create", "--max-")).toEqual([
    "--max-rate",
    "--max-concurrency",
    "--max-shrink",
  ]);
  expect(offered("lc2", "backup", "create", "--files", "/srv", "--data")).toEqual([
    "--database-name",
    "--database",
    "--data-dir",
  ]);
  expect(offered("lc2", "restore", "create", "--buck")).toEqual(["--bucket"]);
});

test("bash is offered the values of an option", () => {
  expect(offered("lc2", "backup", "list", "--status", "C")).toEqual(["Completed", "Cancelled"]);
  expect(offered("lc2", "restore", "plan", "--into", "")).toEqual(["swap", "new", "empty", "in-place"]);
  expect(offered("lc2", "backup", "get", "-o", "j")).toEqual(["json"]);
  expect(offered("lc2", "key", "export", "-o", "lc2.b")).toEqual(["lc2.bash"]);
  expect(offered("lc2", "completion", "")).toEqual(["bash", "zsh", "fish"]);
});

test("every shell's script names every command that is shown", () => {
  for (const shell of ["bash", "zsh", "fish"] as const) {
    const text = completionScript(shell, commandTree);
    for (const member of commandTree.members) {
      if (member.type === "command" && member.hidden) continue;
      expect(text, shell).toContain(member.name);
      for (const verb of member.type === "group" ? member.members : [])
        expect(text, shell).toContain(verb.name);
    }
  }
});

test("fish's script survives options among the words", () => {
  // `string join` would take them for its own.
  expect(completionScript("fish", commandTree)).toContain("string join -- ' ' $path $word");
});
