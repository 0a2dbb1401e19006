import { describe, expect, it } from "vitest";
import {
  allowsUrl,
  emptyPolicy,
  policyProblems,
  resolveCommand,
  showUrl,
  type HookPolicy,
} from "./hook-policy.ts";
import { parseHookPolicy } from "./parse-hook-policy.ts";

const policy: HookPolicy = {
  commands: {
    drush: {
      program: "/opt/drush",
      arguments: ["cache:rebuild", "config:export --destination=/tmp/*"],
      environment: ["DRUSH_TOKEN"],
      directory: "/srv/drupal",
    },
    touch: { program: "/bin/touch", arguments: [] },
  },
  urls: ["https://cms.example/hooks/*", "http://[::1]:8080/x"],
  statements: ["select pg_switch_wal()", "call maintenance(*)"],
  artifacts: ["/tmp/config-*"],
  secrets: ["env:HOOK_TOKEN"],
};

describe("resolveCommand", () => {
  it("gives the allowed program with the words as they were written", () => {
    expect(resolveCommand(policy, "drush config:export '--destination=/tmp/a b'")).toEqual({
      resolved: {
        program: "/opt/drush",
        arguments: ["config:export", "--destination=/tmp/a b"],
        environment: ["DRUSH_TOKEN"],
        directory: "/srv/drupal",
      },
    });
  });

  it.each([
    ["rm -rf /", '"rm" is not allowed here. Allowed are: drush, touch.'],
    ["/opt/drush cache:rebuild", '"/opt/drush" is not allowed'],
    ["toString", '"toString" is not allowed'],
    ["drush", "may not be given these arguments"],
    ["drush cache:rebuild --yes", "may not be given these arguments"],
    ["drush php:eval x", 'Allowed are: "cache:rebuild", "config:export --destination=/tmp/*".'],
    ["drush config:export --destination=/tmp/../etc", "may not be given these arguments"],
    ["touch a", "Allowed are: none."],
    ["drush cache:rebuild; reboot", "cannot be run"],
  ])("refuses %s", (command, problem) => {
    expect(resolveCommand(policy, command)).toEqual({ problem: expect.stringContaining(problem) as string });
  });

  it("says so where nothing is allowed", () => {
    expect(resolveCommand(emptyPolicy, "a")).toEqual({
      problem: expect.stringContaining("Allowed are: none.") as string,
    });
  });
});

describe("allowsUrl", () => {
  it.each([
    ["https://cms.example/hooks/before?x=1", true],
    ["HTTPS://CMS.example/hooks/", true],
    ["http://[::1]:8080/x", true],
    ["http://cms.example/hooks/a", false],
    ["https://cms.example:8443/hooks/a", false],
    ["https://cms.example.evil.example/hooks/a", false],
    ["https://cms.example/other", false],
    ["https://cms.example", false],
    ["https://cms.example/hooks/../admin", false],
    ["https://cms.example/hooks/%2e%2E/admin", false],
    [String.raw`https://cms.example/hooks/..\admin`, false],
    ["https://user@cms.example/hooks/a", false],
    ["file:///etc/passwd", false],
  ])("%s: %s", (url, allowed) => {
    expect(allowsUrl(policy, url)).toBe(allowed);
  });

  it("shows of a URL only where it goes", () => {
    expect(showUrl("https://cms.example/hooks/secret?token=1")).toBe("https://cms.example");
    expect(showUrl("https://u:secret@cms.example/")).toBe("a URL that is none");
  });
});

describe("policyProblems", () => {
  it("has nothing against what is allowed", () => {
    const hooks = [
      {
        name: "a",
        command: "drush cache:rebuild",
        artifactPath: "/tmp/config-1",
        undo: { sql: " call maintenance(0) " },
      },
      {
        name: "b",
        http: { url: "https://cms.example/hooks/x", headers: { "X-Key": "env:HOOK_TOKEN", Accept: "*/*" } },
      },
    ];
    for (const hook of hooks) expect(policyProblems(policy, "hook", hook)).toEqual([]);
  });

  it("names everything that is not, with the hook's undo", () => {
    const hook = {
      name: "a",
      http: { url: "https://other.example/", headers: { "X-Key": "file:/etc/shadow" } },
      artifactPath: "/tmp/config-/../../etc/shadow",
      undo: { sql: "drop database shop" },
    };
    const problems = policyProblems(policy, "hook", hook);
    expect(problems.map(({ field }) => field)).toEqual([
      "hook.http.url",
      "hook.http.headers",
      "hook.undo.sql",
      "hook.artifactPath",
    ]);
    expect(problems.every(({ code }) => code === "hook-not-allowed")).toBe(true);
  });
});

describe("parseHookPolicy", () => {
  it("reads what an administrator wrote", () => {
    expect(parseHookPolicy(JSON.stringify(policy), "hooks.json")).toEqual(policy);
    expect(parseHookPolicy("{}", "hooks.json")).toEqual(emptyPolicy);
  });

  it.each([
    ["commands: {}", "is no JSON"],
    ["[]", "is no JSON object"],
    ['{"command": {}}', 'unknown member "command"'],
    ['{"urls": "https://x"}', 'no list of texts in "urls"'],
    ['{"commands": []}', 'no object in "commands"'],
    ['{"commands": {"a": "/bin/a"}}', 'for the command "a"'],
    ['{"commands": {"a": {"program": "bin/a", "arguments": []}}}', 'for the command "a"'],
    ['{"commands": {"a": {"program": "/bin/a", "arguments": [], "shell": true}}}', 'for the command "a"'],
  ])("refuses %s", (text, reason) => {
    expect(() => parseHookPolicy(text, "hooks.json")).toThrow(reason);
  });
});
