import { describe, expect, it } from "vitest";
import { validateDatabaseUrl } from "../backup/validate-backup.ts";
import { parseDatabaseUrl } from "./database-url.ts";

describe("a database's URL", () => {
  it("is read as libpq reads it", () => {
    expect(parseDatabaseUrl("postgres://app@[::1]:5433/my%20db?sslmode=verify-full&ssl=true")).toEqual({
      user: "app",
      host: "::1",
      port: "5433",
      dbname: "my db",
      sslmode: "require",
    });
    expect(parseDatabaseUrl("postgresql:///lportal?application_name=x&connect_timeout=3")).toEqual({
      dbname: "lportal",
      application_name: "x",
      connect_timeout: "3",
    });
    expect(parseDatabaseUrl("postgres://app:secret@db/x", { mayHoldPassword: true })).toMatchObject({
      password: "secret",
    });
  });

  it.each([
    ["postgres://u@h/db?nonsense=1", "not known"],
    ["postgres://u@a,b/db", "several hosts"],
    ["postgres://u@h/db?sslmode=foo", "is not an sslmode"],
    ["postgres://u@h:99999/db", "is not a port"],
    ["postgres://u@h:x/db", "is not a port"],
    ["postgres://u@%zz/db", "percent sign"],
  ])("is refused before anything is recorded: %s", (url, reason) => {
    expect(() => parseDatabaseUrl(url)).toThrow(reason);
    const [problem, ...others] = validateDatabaseUrl("database.url", url);
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ code: "usage", field: "database.url" });
    expect(problem?.message).toContain(reason);
  });

  it("is of PostgreSQL", () => {
    expect(() => parseDatabaseUrl("mysql://u@h/db")).toThrow("cannot be understood");
  });

  it("never says the password that it refuses", () => {
    for (const url of [
      "postgres://u:secret@h/db",
      "postgres://u@h/db?password=secret",
      "postgres://u@h/db?sslpassword=secret",
    ]) {
      expect(() => parseDatabaseUrl(url)).toThrow(/^(?!.*secret).*carries a password/);
      expect(JSON.stringify(validateDatabaseUrl("database.url", url))).not.toContain("secret");
    }
  });
});
