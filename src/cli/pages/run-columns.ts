import { duration } from "../humanise.ts";
import type { Column } from "../table.ts";
import { secondsBetween } from "./status.ts";

/** A backup, a restore or a copy, as far as it is about when. */
interface Run {
  readonly createdAt: string;
  readonly completedAt?: string;
}

/** When it was asked for, and how long it took: of every list's wide form. */
export const whenColumns: readonly Column<Run>[] = [
  { title: "CREATED", value: ({ createdAt }) => createdAt },
  {
    title: "TOOK",
    value: ({ createdAt, completedAt }) => {
      const seconds = secondsBetween(createdAt, completedAt);
      return seconds === undefined ? "" : duration(seconds);
    },
    align: "right",
  },
];
