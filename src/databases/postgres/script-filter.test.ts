import fc from "fast-check";
import { expect, test } from "vitest";
import { Failure } from "../../core/failure.ts";
import { insideTransaction } from "./script-filter.ts";

const head =
  "--\n-- PostgreSQL database dump\n--\n\nBEGIN;\n\nSET lock_timeout = 0;\nSET row_security = off;\n";
const newHead =
  "--\n-- PostgreSQL database dump\n--\n\n\n\nSET lock_timeout = '60s';\nSET row_security = off;\n";
const tail = "\n--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict x\n";

async function filter(script: string, sizes: readonly number[] = []): Promise<string> {
  const bytes = Buffer.from(script);
  async function* chunks(): AsyncIterable<Uint8Array> {
    let start = 0;
    for (const size of sizes) {
      yield bytes.subarray(start, start + size);
      start += size;
    }
    yield bytes.subarray(start);
  }
  const parts: Buffer[] = [];
  for await (const chunk of insideTransaction(chunks())) parts.push(Buffer.from(chunk));
  return Buffer.concat(parts).toString();
}

test("only the script's own BEGIN and COMMIT go, however it is cut into chunks", async () => {
  const row = fc.constantFrom("BEGIN;", "COMMIT;", "SET lock_timeout = 0;", "1\tx", "ü".repeat(900), "");
  await fc.assert(
    fc.asyncProperty(fc.array(row), fc.array(fc.integer({ min: 1, max: 5000 })), async (rows, sizes) => {
      const body = rows.map((text) => `${text}\n`).join("");
      expect(await filter(`${head}${body}\nCOMMIT;\n${tail}`, sizes)).toBe(`${newHead}${body}\n${tail}`);
    }),
  );
});

test("a script that is cut off is refused, not taken for a whole one", async () => {
  await expect(filter(`${head}1\tx\n`)).rejects.toThrow(Failure);
  await expect(filter("")).rejects.toThrow(Failure);
});
