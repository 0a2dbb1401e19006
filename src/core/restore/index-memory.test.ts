import { expect, test } from "vitest";
import { indexMemory } from "./index-memory.ts";

const mib = 1 << 20;

test.each([
  ["jobs share what the server's cache has", 512, 64, 2, 256],
  ["one job has all of it", 512, 64, 1, 512],
  ["a small server keeps its setting", 128, 64, 4, 64],
  ["a setting that is higher is kept", 512, 700, 2, 700],
  ["a large server gives no more than helps", 16_384, 64, 4, 1024],
])("%s", (_name, cache, maintenance, jobs, expected) => {
  const server = { cacheBytes: cache * mib, maintenanceBytes: maintenance * mib };
  expect(indexMemory(server, jobs)).toBe(expected * mib);
});
