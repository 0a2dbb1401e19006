import { describe, expect, test } from "vitest";
import { Failure } from "../../core/failure.ts";
import { s3Failure } from "./s3-failure.ts";

const way = {
  bucket: "backups",
  prefix: "lc2/",
  url: "s3://backups/lc2?endpoint=https://store.example",
  place: { bucket: "backups", prefix: "lc2/", endpoint: "https://store.example" },
  signal: undefined,
};
const read = { verb: "read", action: "s3:GetObject", key: "lc2/a/b" };
const list = { verb: "list", action: "s3:ListBucket" };

function answer(status: number, name: string, message = name, more: object = {}): Error {
  return Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status }, ...more });
}
const system = (code: string, message = code): Error => Object.assign(new Error(message), { code });

describe("an error of a store", () => {
  test("that hangs up on plain http names https, and no other does", () => {
    const http = { ...way, place: { ...way.place, endpoint: "http://store.example" } };
    const reset = Object.assign(system("ECONNRESET", "read ECONNRESET"), { name: "TimeoutError" });
    expect(s3Failure(reset, http, list).message).toMatch(/example: read ECONNRESET\..*write https:\/\//);
    expect(s3Failure(reset, way, list).message).not.toContain("https:// in the endpoint");
    expect(s3Failure(system("ECONNREFUSED"), http, list).message).not.toContain("https://");
  });

  const cases: readonly (readonly [code: string, error: Error, says: string])[] = [
    [
      "store-access-denied",
      answer(403, "AccessDenied"),
      '"Action":"s3:GetObject","Resource":"arn:aws:s3:::backups/lc2/*"',
    ],
    ["bucket-not-found", answer(404, "NoSuchBucket"), "no bucket backups at https://store.example"],
    ["backup-incomplete", answer(404, "NoSuchKey"), "lc2/a/b in the bucket backups"],
    [
      "store-credentials-missing",
      answer(0, "CredentialsProviderError", "Could not load."),
      "AWS_ACCESS_KEY_ID",
    ],
    ["store-credentials-expired", answer(400, "ExpiredToken"), "Log in again"],
    ["store-credentials-wrong", answer(403, "InvalidAccessKeyId"), "does not know the access key"],
    ["store-credentials-wrong", answer(403, "SignatureDoesNotMatch"), "secret does not fit"],
    ["store-throttled", answer(503, "SlowDown", "Please reduce", { attempts: 7 }), "7 attempts"],
    [
      "store-unreachable",
      answer(500, "InternalError", "We failed", { attempts: 1 }),
      "InternalError: We failed",
    ],
    [
      "store-unreachable",
      system("ECONNREFUSED", "connect ECONNREFUSED 10.0.0.1:9"),
      "ECONNREFUSED 10.0.0.1:9",
    ],
    ["store-unreachable", answer(502, "UnknownError"), "HTTP 502"],
    ["store-tls-failed", system("UNABLE_TO_VERIFY_LEAF_SIGNATURE"), "ca="],
    ["store-tls-failed", system("DEPTH_ZERO_SELF_SIGNED_CERT"), "ca="],
    ["store-tls-failed", system("ERR_TLS_CERT_ALTNAME_INVALID"), "host name that the certificate is for"],
    [
      "store-tls-failed",
      system("EPROTO", "write EPROTO 40:error:0A00010B:SSL routines::wrong version number:x.c:78:"),
      "does not speak TLS. Check the port",
    ],
    ["store-tls-failed", system("EPROTO", "write EPROTO 40:error:alert internal error"), "min-tls"],
    [
      "store-tls-failed",
      system("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify; if the root CA is installed, try Node"),
      "unable to verify. If the certificate",
    ],
    ["store-tls-failed", system("CERT_HAS_EXPIRED"), "Renew the certificate"],
    ["store-tls-failed", system("ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION"), "min-tls"],
    [
      "bucket-elsewhere",
      answer(301, "PermanentRedirect", "Use another", {
        $response: { headers: { "x-amz-bucket-region": "eu-west-1" } },
      }),
      "region=eu-west-1",
    ],
    [
      "bucket-elsewhere",
      answer(400, "AuthorizationHeaderMalformed", "the region 'x' is wrong; expecting 'eu-north-1'", {
        Region: "eu-north-1",
      }),
      "region=eu-north-1",
    ],
    ["bucket-elsewhere", new Error("Region is missing"), "AWS_REGION"],
    ["object-cold", answer(403, "InvalidObjectState"), "restore-object --bucket backups --key 'lc2/a/b'"],
    ["interrupted", Object.assign(new Error("Request aborted"), { name: "AbortError" }), "given up"],
    ["store-failed", answer(400, "InvalidArgument", "no such thing"), "InvalidArgument: no such thing"],
  ];
  test.each(cases)("is %s: %s", (code, error, says) => {
    const failure = s3Failure(error, way, read);
    expect(failure.code).toBe(code);
    expect(failure.message).toContain(says);
  });

  test("that may pass by itself says so to the engine, no other does", () => {
    expect(s3Failure(answer(503, "SlowDown"), way, read).retry).toBe("backoff");
    expect(s3Failure(answer(500, "InternalError"), way, read).retry).toBe("backoff");
    expect(s3Failure(answer(403, "AccessDenied"), way, read).retry).toBe("never");
  });

  test("names the whole bucket where a right is about it", () => {
    expect(s3Failure(answer(403, "AccessDenied"), way, list).message).toContain(
      '"Resource":"arn:aws:s3:::backups"',
    );
  });

  test("tells by how much a clock is wrong, and in which direction", () => {
    const skewed = (ServerTime: Date) =>
      s3Failure(answer(403, "RequestTimeTooSkewed", "skewed", { ServerTime }), way, read);
    const ahead = skewed(new Date(Date.now() - 3 * 3_600_000));
    expect(ahead).toMatchObject({ code: "store-clock-skewed" });
    expect(ahead.message).toContain("3 hours ahead of that of https://store.example");
    expect(skewed(new Date(Date.now() + 30 * 60_000)).message).toContain("30 minutes behind");
    expect(skewed(new Date()).message).toContain("differs too much");
  });

  test("of a stopped task is why it was stopped", () => {
    const stopped = new AbortController();
    const reason = new Failure("cancelled", "The task was cancelled.");
    stopped.abort(reason);
    expect(s3Failure(new Error("aborted"), { ...way, signal: stopped.signal }, read)).toBe(reason);
    expect(s3Failure(reason, way, read)).toBe(reason);
  });
});
