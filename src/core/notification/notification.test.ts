import { describe, expect, it } from "vitest";
import fc from "fast-check";
import type { FailureRecord } from "../failure.ts";
import type { Operation, OperationEnd } from "../operation/operation.ts";
import { dueSummary, localTime } from "./due-summary.ts";
import { happeningOf, hasMissedItsWindow, isFinished, missedOf, stalledOf, summaryOf } from "./happening.ts";
import { nextTry } from "./next-try.ts";
import { toNotification, type Notification, type SmtpTarget } from "./notification.ts";
import { validateNotification } from "./validate-notification.ts";

const finished = (end: Partial<OperationEnd>, change: Partial<Operation> = {}) => ({
  id: "backup-1",
  kind: "backup" as const,
  projectId: "retail",
  requestId: "req-1",
  spec: {},
  repository: "file:///r",
  createdAtMs: 0,
  attempt: 1,
  leaseOwner: "me",
  cancelRequested: false,
  ...change,
  end: { finishedAtMs: 60_000, outcome: "Failed" as const, ...end },
});
const failure: FailureRecord = { code: "dump-failed", message: "It broke.", retry: "never" };

describe("happeningOf", () => {
  it("tells of a failure, why, and where more is said", () => {
    expect(happeningOf(finished({ failure }, { application: "drupal" }), undefined)).toMatchObject({
      id: "failed/backup-1",
      event: "failed",
      at: "1970-01-01T00:01:00.000Z",
      text: "It broke. (dump-failed) `lc2 backup describe backup-1` says more.",
      facts: { operationId: "backup-1", application: "drupal", code: "dump-failed" },
    });
    expect(happeningOf(finished({}, { kind: "copy" }), undefined)?.text).toContain("lc2 doctor");
  });

  it("tells of the first success after a failure, and of no other", () => {
    const done = finished({ outcome: "Completed" });
    expect(happeningOf(done, "Failed")).toMatchObject({ id: "recovered/backup-1", event: "recovered" });
    expect(happeningOf(done, "Completed")).toBeUndefined();
    expect(happeningOf(done, undefined)).toBeUndefined();
    expect(happeningOf(finished({ outcome: "Cancelled" }), "Failed")).toBeUndefined();
  });

  it("tells of a backup whose window closed before it began as of a missed time, and of one that had begun as failed", () => {
    const late = { code: "window-closed", message: "Its turn did not come.", retry: "never" } as const;
    const scheduled = { name: "nightly", slotMs: 0 };
    const waited = finished({ failure: late });
    expect(hasMissedItsWindow(waited)).toBe(true);
    expect(happeningOf(waited, undefined, scheduled)).toMatchObject({
      id: "missed/backup-1",
      event: "missed",
      text: expect.stringContaining("Its turn did not come.") as string,
      facts: { schedule: "nightly", slot: "1970-01-01T00:00:00.000Z", outcome: "window" },
    });
    const begun = finished({ failure: late }, { admittedAtMs: 5 });
    expect(happeningOf(begun, undefined, scheduled)?.event).toBe("failed");
    expect(happeningOf(finished({ failure }), undefined, scheduled)?.event).toBe("failed");
  });

  it("tells of what stands still, once for each time that it does", () => {
    const task = {
      operationId: "backup-1",
      attempt: 2,
      name: "files",
      state: "running",
      startedAtMs: 0,
    } as const;
    const { end: _, ...running } = finished({});
    expect(stalledOf(running, task)).toBeUndefined();
    expect(stalledOf(running, { ...task, progress: { bytes: 1 } })).toBeUndefined();
    const since = "2026-11-29T01:00:00.000Z";
    expect(stalledOf(running, { ...task, progress: { bytes: 1, stalledSince: since } })).toMatchObject({
      id: `stalled/backup-1/2/files/${since}`,
      event: "stalled",
      at: since,
      title: "The backup backup-1 of project retail stands still",
      facts: { task: "files", attempt: 2, stalledSince: since },
    });
  });

  it("knows what has ended", () => {
    const { end, ...open } = finished({});
    expect(isFinished(open)).toBe(false);
    expect(isFinished({ ...open, end })).toBe(true);
  });
});

describe("missedOf", () => {
  const slot = {
    projectId: "retail",
    name: "nightly",
    slotMs: 0,
    cause: "due",
    recordedAtMs: 60_000,
  } as const;
  it("tells of a time without a backup, and why", () => {
    expect(missedOf({ ...slot, outcome: "missed" })).toMatchObject({
      id: "missed/retail/nightly/0",
      event: "missed",
      at: "1970-01-01T00:01:00.000Z",
      title: "The schedule nightly of project retail made no backup at 1970-01-01T00:00:00.000Z",
      facts: { schedule: "nightly", outcome: "missed" },
    });
    expect(missedOf({ ...slot, outcome: "refused", message: "It is gone." })?.text).toContain("It is gone.");
  });

  it("has nothing to tell of what was asked for", () => {
    for (const outcome of ["ran", "suspended", "overlap", "superseded"] as const)
      expect(missedOf({ ...slot, outcome })).toBeUndefined();
  });
});

describe("a summary", () => {
  const counts = { completed: 3, failed: 0, cancelled: 1, storedBytes: 42 };
  it("is one a day, and says in its first line whether all is well", () => {
    expect(summaryOf("retail", "2026-11-29", 0, counts)).toMatchObject({
      id: "summary/retail/2026-11-29",
      title: "Backups of project retail on 2026-11-29: all is well",
    });
    expect(summaryOf("", "2026-11-29", 0, { ...counts, failed: 2 }).title).toBe(
      "Backups of all projects on 2026-11-29: 2 failed",
    );
    expect(summaryOf("", "2026-11-29", 0, { ...counts, completed: 0 }).title).toContain("nothing was done");
  });

  it("is due from its time of day on, where the project is", () => {
    const at = (instant: string) => dueSummary(Date.parse(instant), "Europe/Berlin", "08:00");
    expect(at("2026-11-29T06:59:00Z")).toBeUndefined();
    expect(at("2026-11-29T07:00:00Z")).toBe("2026-11-29");
    expect(at("2026-11-29T22:59:00Z")).toBe("2026-11-29");
    expect(at("2026-07-01T06:00:00Z")).toBe("2026-07-01");
    expect(localTime(Date.parse("2026-11-29T23:00:00Z"), "Europe/Berlin")).toEqual({
      date: "2026-11-30",
      time: "00:00",
    });
  });
});

describe("nextTry", () => {
  it("waits longer and longer, an hour at most, and gives up after a day", () => {
    expect(nextTry(1, 0, 0)).toBe(10_000);
    expect(nextTry(2, 0, 0)).toBe(20_000);
    expect(nextTry(60, 0, 0)).toBe(3_600_000);
    fc.assert(
      fc.property(fc.nat(100), fc.nat(200_000_000), (tries, nowMs) => {
        const next = nextTry(tries + 1, 0, nowMs) ?? 0;
        const isGivenUp = next === 0;
        expect(isGivenUp ? nowMs > 82_000_000 : next <= 86_400_000).toBe(true);
      }),
    );
  });
});

describe("validateNotification", () => {
  const base = { projectId: "", name: "ops" };
  const webhook = { url: "https://ops.example/lc2?x=1", secret: "env:OPS" };
  const smtp: SmtpTarget = { host: "mail.example", from: "a@b.example", to: ["c@d.example"] };
  const fieldsOf = (wish: Partial<Notification>): string[] =>
    validateNotification(toNotification({ ...base, ...wish })).map(({ field }) => field);

  it("has nothing against one of each kind", () => {
    expect(fieldsOf({ webhook })).toEqual([]);
    expect(fieldsOf({ projectId: "retail", slack: { url: "file:/run/slack" }, events: ["summary"] })).toEqual(
      [],
    );
    expect(fieldsOf({ smtp: { ...smtp, port: 25, user: "u", password: "env:P" } })).toEqual([]);
    expect(fieldsOf({ smtp: { ...smtp, host: "127.0.0.1", tls: "none" } })).toEqual([]);
  });

  it.each<[string, Partial<Notification>, string[]]>([
    ["a project that is none", { webhook, projectId: "A" }, ["projectId"]],
    ["a name that is none", { webhook, name: "A b" }, ["name"]],
    ["no event", { webhook, events: [] }, ["events"]],
    ["an event that is none", { webhook, events: ["bored" as "failed"] }, ["events"]],
    ["a time that is none", { webhook, summaryAt: "8" }, ["summaryAt"]],
    ["nobody to tell", {}, ["webhook"]],
    ["two to tell", { webhook, smtp }, ["webhook"]],
    ["a URL that is none", { webhook: { ...webhook, url: "ops.example" } }, ["webhook.url"]],
    ["a secret itself", { webhook: { ...webhook, secret: "hunter2" } }, ["webhook.secret"]],
    ["Slack's URL itself", { slack: { url: "https://hooks.slack.example/x" } }, ["slack.url"]],
    ["a host that is none", { smtp: { ...smtp, host: "a b" } }, ["smtp.host"]],
    ["a port that is none", { smtp: { ...smtp, port: 0 } }, ["smtp.port"]],
    ["mail in the open", { smtp: { ...smtp, tls: "none" } }, ["smtp.tls"]],
    ["a user without a password", { smtp: { ...smtp, user: "u" } }, ["smtp.password"]],
    ["a header in an address", { smtp: { ...smtp, from: "a@b\r\nBcc: x@y" } }, ["smtp.from"]],
    ["a mail to nobody", { smtp: { ...smtp, to: [] } }, ["smtp.to"]],
    ["a mail to somebody without an address", { smtp: { ...smtp, to: ["ops"] } }, ["smtp.to"]],
  ])("refuses %s", (_what, wish, fields) => {
    expect(fieldsOf(wish)).toEqual(fields);
  });

  it("refuses credentials in a URL, and does not repeat them", () => {
    const wish = toNotification({ ...base, webhook: { ...webhook, url: "https://u:hunter2@ops.example" } });
    const [problem] = validateNotification(wish);
    expect(problem).toMatchObject({ code: "password-on-command-line", field: "webhook.url" });
    expect(problem?.message).not.toContain("hunter2");
  });
});
