import { describe, expect, it } from "vitest";
import { AnswerReader } from "./answer-reader.ts";

/** What a reader makes of an answer whose bytes come in pieces of a size. */
function read(text: string, pieceBytes: number, hasNoBody = false) {
  const bytes = Buffer.from(text, "latin1");
  const seen = {
    status: 0,
    headers: {} as Readonly<Record<string, string>>,
    body: "",
    ends: [] as boolean[],
  };
  const reader = new AnswerReader(
    {
      head: ({ status, headers }) => Object.assign(seen, { status, headers }),
      piece: (piece) => (seen.body += piece.toString("latin1")),
      end: (isReusable) => seen.ends.push(isReusable),
    },
    hasNoBody,
  );
  for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
  return seen;
}

const sizes = [1, 2, 3, 7, 1_000];
const ok = "HTTP/1.1 200 OK\r\n";

describe("an answer of HTTP/1.1", () => {
  it.each(sizes)("is read whole when it comes %d bytes at a time", (size) => {
    const answer = `${ok}Content-Length: 5\r\nETag:  "a:b" \r\nX-Amz-Meta-A: 1\r\nx-amz-meta-a: 2\r\n\r\nhello`;
    expect(read(answer, size)).toEqual({
      status: 200,
      headers: { "content-length": "5", etag: '"a:b"', "x-amz-meta-a": "1, 2" },
      body: "hello",
      ends: [true],
    });
  });

  it.each(sizes)("is read in chunks when they come %d bytes at a time", (size) => {
    const chunks = "5\r\nhello\r\n6;name=value\r\n\r\n you\r\n0\r\nTrailer: x\r\n\r\n";
    expect(read(`${ok}Transfer-Encoding: chunked\r\n\r\n${chunks}`, size)).toMatchObject({
      body: "hello\r\n you",
      ends: [true],
    });
  });

  it("has no body where it answers a HEAD, has no content, or is of length 0", () => {
    expect(read(`${ok}Content-Length: 5\r\n\r\n`, 9, true)).toMatchObject({ body: "", ends: [true] });
    expect(read("HTTP/1.1 204 No Content\r\n\r\n", 9)).toMatchObject({ status: 204, ends: [true] });
    expect(read("HTTP/1.1 403\r\nContent-Length: 0\r\n\r\n", 9)).toMatchObject({ status: 403, ends: [true] });
  });

  it("says that the connection is at its end", () => {
    expect(read(`${ok}Connection: Close\r\nContent-Length: 1\r\n\r\nx`, 9).ends).toEqual([false]);
    expect(read("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 9).ends).toEqual([false]);
  });

  it("does not end before all of it has come", () => {
    expect(read(`${ok}Content-Length: 6\r\n\r\nhello`, 9).ends).toEqual([]);
    expect(read(`${ok}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`, 9).ends).toEqual([]);
  });

  it.each([
    ["another version", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"],
    ["no HTTP at all", "SSH-2.0-OpenSSH_9.2\r\n\r\n"],
    ["an answer before the answer", "HTTP/1.1 100 Continue\r\n\r\n"],
    ["no length", `${ok}\r\nhello`],
    ["two lengths", `${ok}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`],
    ["a length and chunks", `${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n`],
    ["another coding", `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n`],
    ["more than its length", `${ok}Content-Length: 5\r\n\r\nhello!`],
    ["a chunk longer than it states", `${ok}Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n`],
    ["a chunk of no length", `${ok}Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n`],
    ["a header in two lines", `${ok}A: b\r\n c\r\nContent-Length: 0\r\n\r\n`],
    ["a header without a name", `${ok}: b\r\n\r\n`],
    ["a head without an end", ok + "A: b\r\n".repeat(20_000)],
    ["a line without an end", `${ok}Transfer-Encoding: chunked\r\n\r\n5;${"a".repeat(2_000)}`],
  ])("is refused with %s", (_, answer) => {
    for (const size of [13, 100_000]) expect(() => read(answer, size)).toThrow(RangeError);
  });
});
