import { describe, expect, it } from "vitest";
import { encryptionProblem, isProved, type ServerEncryption } from "./encryption.ts";

const arn = "arn:aws:kms:eu-central-1:1234:key/5d0c-1c2c";
const kms = (keyId: string): ServerEncryption => ({ algorithm: "aws:kms", keyId });
const aes: ServerEncryption = { algorithm: "AES256" };

describe("what a store states of an object", () => {
  it.each([
    [kms(arn), kms(arn)],
    [kms("5d0c-1c2c"), kms(arn)],
    [kms("lc2"), kms("arn:aws:kms:lc2")],
    [kms("alias/retail"), kms(arn)],
    [aes, aes],
  ])("proves %j by %j", (wanted, stated) => expect(isProved(wanted, stated)).toBe(true));

  it.each([
    [kms(arn), undefined],
    [kms(arn), aes],
    [aes, kms(arn)],
    [kms("other"), kms(arn)],
    [kms("2c"), kms(arn)],
    [kms(arn), { algorithm: "aws:kms" } as const],
    [kms("alias/retail"), { algorithm: "aws:kms" } as const],
  ])("does not prove %j by %j", (wanted, stated) => expect(isProved(wanted, stated)).toBe(false));
});

describe("a repository's mode of encryption", () => {
  const client = { encryption: "client" } as const;
  const server = { encryption: "server", serverEncryption: kms(arn) } as const;

  it("needs no words where lc2 encrypts", () => {
    expect(encryptionProblem({}, client, undefined)).toBeUndefined();
    expect(encryptionProblem({ encryption: "client" }, client, undefined)).toBeUndefined();
  });

  it("is refused where the request names the other one", () => {
    expect(encryptionProblem({ encryption: "server" }, client, undefined)).toContain(
      "made for encryption by lc2",
    );
    expect(encryptionProblem({ encryption: "client" }, server, server)).toContain(
      "made for encryption by the store",
    );
  });

  it("is refused where the request names another key", () => {
    const wish = { encryption: "server", kmsKey: "alias/other" } as const;
    expect(encryptionProblem({ ...wish, kmsKey: "other" }, server, server)).toContain("names the key other");
    expect(encryptionProblem(wish, { ...server, serverEncryption: aes }, server)).toContain("alias/other");
  });

  it("is believed when the request says it", () => {
    const own = { ...server, serverEncryption: aes };
    expect(encryptionProblem({ encryption: "server" }, own, undefined)).toBeUndefined();
    expect(encryptionProblem({ encryption: "server" }, own, client)).toBeUndefined();
    expect(encryptionProblem({ encryption: "server", kmsKey: "5d0c-1c2c" }, server, own)).toBeUndefined();
    expect(encryptionProblem({ encryption: "server", kmsKey: "5d0c-1c2c" }, server, client)).toBeUndefined();
  });

  it("is believed when a sealed backup says it", () => {
    expect(encryptionProblem({}, server, server)).toBeUndefined();
    expect(encryptionProblem({ encryption: "server" }, server, server)).toBeUndefined();
  });

  it("is not believed about a key that neither the request nor a sealed backup names", () => {
    const wish = { encryption: "server" } as const;
    for (const newest of [undefined, client])
      expect(encryptionProblem(wish, server, newest)).toContain("--kms-key");
    for (const said of [kms("another"), aes]) {
      const changed = { ...server, serverEncryption: said };
      expect(encryptionProblem(wish, changed, server)).toContain(arn);
      expect(encryptionProblem({}, changed, server)).toContain("--encryption server");
    }
  });

  it("is not believed when only the description says it, which others could have changed", () => {
    for (const newest of [undefined, client, { ...server, serverEncryption: kms("another") }])
      expect(encryptionProblem({}, server, newest)).toContain("--encryption server");
  });

  it("is refused where the description does not say how", () => {
    expect(encryptionProblem({ encryption: "server" }, { encryption: "server" }, undefined)).toContain("how");
  });
});
