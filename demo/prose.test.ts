import { expect, test } from "vitest";
import { createProseWriter, seededRandom } from "./prose.ts";

test("prose is the same for the same seed and another for another", () => {
  const text = createProseWriter(5).paragraph(2_000);
  expect(createProseWriter(5).paragraph(2_000)).toBe(text);
  expect(createProseWriter(6).paragraph(2_000)).not.toBe(text);
  expect(text.length).toBeGreaterThanOrEqual(2_000);
  expect(text).not.toContain("\n");
});

test("prose hardly repeats itself, as text that people write", () => {
  const writer = createProseWriter(1);
  const paragraphs = Array.from({ length: 500 }, () => writer.paragraph(500));
  expect(new Set(paragraphs).size).toBe(500);
  expect(new Set(paragraphs.join(" ").split(" ")).size).toBeGreaterThan(500);
});

test("seeded numbers stay between 0 and 1 and fill the range", () => {
  const random = seededRandom(3);
  const numbers = Array.from({ length: 1_000 }, random);
  expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
  expect(Math.min(...numbers)).toBeLessThan(0.05);
  expect(Math.max(...numbers)).toBeLessThan(1);
  expect(Math.max(...numbers)).toBeGreaterThan(0.95);
});
