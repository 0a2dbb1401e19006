/** What an HTTP answer says before its body. Names in lower case. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface AnswerSink {
  head(head: AnswerHead): void;
  /** Bytes of the body; valid only during the call. */
  piece(bytes: Buffer): void;
  /** Nothing of this answer is to come. `isReusable`: the connection takes a further request. */
  end(isReusable: boolean): void;
}

const headEnd = "\r\n\r\n";
const longestHeadBytes = 64 << 10;
const longestLineBytes = 1 << 10;

/**
 * Takes one answer of HTTP apart, however its bytes are cut. Only what stores ordinarily send: an answer whose body
 * has a stated length or comes in chunks. Throws a `RangeError` on everything else, after which nothing of the
 * connection can be relied on.
 */
export class AnswerReader {
  readonly #sink: AnswerSink;
  readonly #hasNoBody: boolean;
  #state: "head" | "body" | "chunk size" | "chunk" | "chunk end" | "trailer" | "ended" = "head";
  /** Bytes of the body, or of the chunk, that are still to come. */
  #leftBytes = 0;
  /** A head or a line as far as it has come. */
  #held = "";
  #isReusable = true;

  /** `hasNoBody`: the answer to a HEAD states the length of what it does not bring. */
  constructor(sink: AnswerSink, hasNoBody = false) {
    this.#sink = sink;
    this.#hasNoBody = hasNoBody;
  }

  push(bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#state === "ended") throw new RangeError("there is more than the answer");
      if (this.#state === "head") at = this.#takeHead(bytes, at);
      else if (this.#state === "body" || this.#state === "chunk") at = this.#takeBody(bytes, at);
      else at = this.#takeLine(bytes, at);
    }
  }

  #takeHead(bytes: Buffer, at: number): number {
    const before = this.#held.length;
    // The end of a head may be cut itself, so what was held is looked at again; heads are short.
    this.#held += bytes.toString("latin1", at, Math.min(bytes.length, at + longestHeadBytes));
    const end = this.#held.indexOf(headEnd, Math.max(0, before - headEnd.length));
    if (end < 0) {
      if (this.#held.length >= longestHeadBytes) throw new RangeError("the answer's head has no end");
      return bytes.length;
    }
    const text = this.#held.slice(0, end);
    this.#held = "";
    this.#begin(parseHead(text));
    return at + end + headEnd.length - before;
  }

  #begin({ isPersistent, ...head }: ParsedHead): void {
    const { status, headers } = head;
    if (status < 200) throw new RangeError(`the answer is a status of ${status}`);
    this.#isReusable = isPersistent && headers["connection"]?.toLowerCase() !== "close";
    const coding = headers["transfer-encoding"];
    const length = headers["content-length"];
    this.#sink.head(head);
    if (this.#hasNoBody || status === 204 || status === 304) return this.#end();
    if (coding !== undefined) {
      if (coding.toLowerCase() !== "chunked" || length !== undefined)
        throw new RangeError(`the answer comes as ${coding}`);
      this.#state = "chunk size";
    } else {
      if (length === undefined || !/^\d{1,15}$/.test(length))
        throw new RangeError("the answer states no length");
      this.#leftBytes = Number(length);
      this.#state = "body";
      if (this.#leftBytes === 0) this.#end();
    }
  }

  #takeBody(bytes: Buffer, at: number): number {
    const length = Math.min(this.#leftBytes, bytes.length - at);
    this.#leftBytes -= length;
    this.#sink.piece(bytes.subarray(at, at + length));
    if (this.#leftBytes === 0) {
      if (this.#state === "body") this.#end();
      else this.#state = "chunk end";
    }
    return at + length;
  }

  #takeLine(bytes: Buffer, at: number): number {
    const newline = bytes.indexOf(10, at);
    const end = newline < 0 ? bytes.length : newline + 1;
    this.#held += bytes.toString("latin1", at, Math.min(end, at + longestLineBytes));
    if (this.#held.length >= longestLineBytes) throw new RangeError("a line of the answer has no end");
    if (newline < 0) return end;
    const line = this.#held.replace(/\r?\n$/, "");
    this.#held = "";
    this.#endLine(line);
    return end;
  }

  #endLine(line: string): void {
    if (this.#state === "trailer") {
      if (line === "") this.#end();
    } else if (this.#state === "chunk end") {
      if (line !== "") throw new RangeError("a chunk is longer than it states");
      this.#state = "chunk size";
    } else {
      const size = /^([0-9a-f]{1,8})(?:[ \t]*;.*)?$/i.exec(line)?.[1];
      if (size === undefined) throw new RangeError("a chunk does not state its length");
      this.#leftBytes = Number.parseInt(size, 16);
      this.#state = this.#leftBytes === 0 ? "trailer" : "chunk";
    }
  }

  #end(): void {
    this.#state = "ended";
    this.#sink.end(this.#isReusable);
  }
}

interface ParsedHead extends AnswerHead {
  /** Its version of HTTP keeps connections open. */
  readonly isPersistent: boolean;
}

function parseHead(text: string): ParsedHead {
  const [first = "", ...lines] = text.split("\r\n");
  const [, version, status] = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(first) ?? [];
  if (status === undefined) throw new RangeError("the answer is not one of HTTP/1.1");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0 || line.charCodeAt(0) <= 32) throw new RangeError("a header of the answer has no name");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return { isPersistent: version === "1", status: Number(status), headers };
}
