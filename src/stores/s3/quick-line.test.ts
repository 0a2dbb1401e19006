import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ask, openLines, type LineAnswer } from "./quick-line.ts";

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

/** A server that answers each request's head as told, and the ways to it. */
async function serve(
  answer: (request: string, socket: Socket, connection: number) => void,
  idleTimeoutMs = 60_000,
) {
  let connections = 0;
  const server = createServer((socket) => {
    const connection = (connections += 1);
    ends.push(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => answer(bytes.toString("latin1"), socket, connection));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const pool = openPool(port, idleTimeoutMs);
  ends.push(() => server.close());
  const lines = {
    get: async (path: string): Promise<LineAnswer> => await ask(pool, { method: "GET", path }),
    put: async (body: Uint8Array): Promise<LineAnswer> =>
      await ask(pool, {
        method: "PUT",
        path: "/a",
        headers: { "content-length": String(body.length) },
        body,
      }),
    close: async (): Promise<void> => await pool.destroy(),
  };
  return { lines, connections: () => connections };
}

function openPool(port: number, idleTimeoutMs: number) {
  const tls = { rejectUnauthorized: true } as const;
  const pool = openLines(`http://127.0.0.1:${port}`, { connectTimeoutMs: 10_000, idleTimeoutMs, tls });
  ends.push(() => void pool.destroy());
  return pool;
}

const answerOf = (body: string | Buffer) => `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`;

async function read(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("connections to a store", () => {
  it("are used again for the next request, and opened for one at the same time", async () => {
    const { lines, connections } = await serve((request, socket) => {
      const [, path = ""] = request.split(" ");
      socket.write(answerOf(path) + path);
    });
    for (const path of ["/a", "/b", "/c", "/d", "/e"])
      expect((await read((await lines.get(path)).body)).toString()).toBe(path);
    // One is free again only after a turn of the loop, so that two take turns.
    expect(connections()).toBeLessThanOrEqual(2);
    const three = await Promise.all(["/f", "/g", "/h"].map(async (path) => await lines.get(path)));
    expect((await Promise.all(three.map(({ body }) => read(body)))).map(String)).toEqual(["/f", "/g", "/h"]);
    expect(connections()).toBeLessThanOrEqual(4);
  });

  it("send a body behind the head", async () => {
    let received = 0;
    const { lines } = await serve((request, socket) => {
      received += request.split("\x01").length - 1;
      if (received === 40_000) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    });
    expect((await lines.put(Buffer.alloc(40_000, 1))).status).toBe(200);
  });

  it("bring a long body whole, and hold no more of it than its reader takes", async () => {
    const long = Buffer.alloc(5 << 20, "0123456789abcdef");
    let waiting: Socket | undefined;
    const { lines } = await serve((_request, socket) => {
      waiting = socket;
      socket.write(answerOf(long));
      socket.write(long);
    });
    const { body } = await lines.get("/long");
    const pieces = body[Symbol.asyncIterator]();
    const first = await pieces.next();
    if (first.done === true) throw new Error("there is no piece");
    // What is not taken stays with the store, but for what the kernel holds.
    expect(waiting?.writableLength).toBeGreaterThan(0);
    const rest = await read({ [Symbol.asyncIterator]: () => pieces });
    expect(Buffer.concat([first.value, rest]).equals(long)).toBe(true);
  });

  it("give what came before a cut, and then say that it was cut", async () => {
    const { lines, connections } = await serve((_request, socket) => {
      socket.end(`${answerOf("hello, world")}hello`);
    });
    const { body } = await lines.get("/cut");
    let came = "";
    const reading = (async () => {
      for await (const piece of body) came += Buffer.from(piece).toString();
    })();
    await expect(reading).rejects.toThrow(/other side closed/);
    expect(came).toBe("hello");
    await lines.get("/next");
    expect(connections()).toBe(2);
  });

  it("are not used again where a reader gave up, or the store says more than it was asked for", async () => {
    const { lines, connections } = await serve((request, socket) => {
      socket.write(request.includes("/more") ? `${answerOf("x")}xy` : answerOf("hello"));
    });
    (await lines.get("/given-up")).body.destroy();
    await lines.get("/more").catch(() => undefined);
    (await lines.get("/again")).body.destroy();
    expect(connections()).toBe(3);
  });

  it("fail where nobody listens, nothing is answered in time, what comes is no answer, and when they are closed", async () => {
    const nowhere = openPool(1, 10_000);
    await expect(ask(nowhere, { method: "GET", path: "/" })).rejects.toThrow(/ECONNREFUSED/);
    const silent = await serve(() => undefined, 20);
    await expect(silent.lines.get("/")).rejects.toThrow(/Timeout/);
    const odd = await serve((_request, socket) => socket.write("220 mail\r\n\r\n"));
    await expect(odd.lines.get("/")).rejects.toThrow(/Expected HTTP/);
    const open = await serve(() => void open.lines.close());
    await expect(open.lines.get("/")).rejects.toThrow(/destroyed/);
  });
});
