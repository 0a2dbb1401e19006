/**
 * `npm run chaos`: kills the engine or a worker before and after each call that a backup, a restore, an undo and a
 * deletion make to the outside, and looks at what came of it.
 *
 *     npm run chaos -- [backup|restore|undo|delete|engines…] [--looks] [--every N] [--only TEXT] [--at-once N] [--again] [--list]
 *                      [--catalog sqlite|postgres] [--repository folder|s3]
 *
 * Points around calls that only look are left out without `--looks`: what they leave is what the change before them
 * left. `--every N` tries each Nth point, `--only TEXT` those whose name has the text. `--again` kills a second time
 * after each: at one of the points of the recovery, another one for each. With `--catalog postgres` each run has a
 * database for its catalog instead of a file, with `--repository s3` a bucket for its repository instead of a folder.
 * The last line is `N kill points tried, N recovered`; the exit code is 0 only when all were.
 */
import { parseArgs } from "node:util";
import { runTests } from "../../scripts/run-tests.ts";
import { ensurePostgresServers, startPostgres } from "../../demo/postgres-servers.ts";
import { connectToS3 } from "../support/s3-servers.ts";
import { startS3Server } from "../support/start-s3-server.ts";
import { describePoint, isLook, type KillPoint } from "./kill-points.ts";
import { inBuckets, inDatabases, inFiles } from "./lab-places.ts";
import { Lab } from "./lab.ts";
import { scenarios, type Scenario } from "./scenarios.ts";
import { listKillPoints, tryKillPoint, type Tried } from "./try-kill-point.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: "string", default: "1" },
    "at-once": { type: "string", default: "2" },
    only: { type: "string", default: "" },
    looks: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    catalog: { type: "string", default: "sqlite" },
    repository: { type: "string", default: "folder" },
  },
});
const catalog = choose("catalog", values.catalog, ["sqlite", "postgres"]);
const repository = choose("repository", values.repository, ["folder", "s3"]);

const isWanted = (name: string): boolean => positionals.length === 0 || positionals.includes(name);
const engines =
  isWanted("engines") && !values.list
    ? runTests(["--project", "integration", "test/integration/two-engines.test.ts"], { LC2_TEST_KILLS: "20" })
    : undefined;
const chosen = scenarios.filter(({ name }) => isWanted(name));
const installation = (await ensurePostgresServers({})).findLast((one) => one.hasClientTools);
if (installation === undefined) throw new Error("No PostgreSQL server can be had here.");
await using server = await startPostgres(installation);
// It dies with this process.
const s3 = repository === "s3" ? connectToS3(await startS3Server("versitygw")) : undefined;
await using lab = await Lab.open(server, {
  catalogs: catalog === "postgres" ? inDatabases(server) : inFiles.catalogs,
  repositories: s3 === undefined ? inFiles.repositories : inBuckets(s3),
});
process.once("SIGINT", () => process.exit(130));

interface Case {
  readonly scenario: Scenario;
  readonly point: KillPoint;
}

const cases: Case[] = [];
for (const scenario of chosen) {
  const points = await listKillPoints(lab, scenario);
  const wanted = points
    .filter((point) => (values.looks || !isLook(point)) && describePoint(point).includes(values.only))
    .filter((_, index) => index % Number(values.every) === 0);
  console.log(`${scenario.name}: ${points.length} kill points, ${wanted.length} of them chosen`);
  cases.push(...wanted.map((point) => ({ scenario, point })));
}
if (values.list) for (const { scenario, point } of cases) console.log(scenario.name, describePoint(point));
else await tryAll(cases);

function choose<K extends string>(option: string, value: string, kinds: readonly K[]): K {
  const chosenKind = kinds.find((kind) => kind === value);
  if (chosenKind === undefined) throw new Error(`--${option} is ${kinds.join(" or ")}, not ${value}`);
  return chosenKind;
}

async function tryAll(all: readonly Case[]): Promise<void> {
  const waiting = [...all.entries()];
  const tried: Tried[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [index, { scenario, point }] = next;
      const result = await attempt(scenario, point, `run-${index}`);
      tried.push(result);
      console.log(describeTried(scenario, describePoint(point), result));
      const second = values.again ? chooseSecond(result, index) : undefined;
      if (second === undefined) continue;
      const again = await attempt(scenario, point, `run-${index}-again`, second);
      tried.push(again);
      console.log(describeTried(scenario, `… and ${describePoint(second)}`, again));
    }
  };
  await Promise.all(Array.from({ length: Number(values["at-once"]) }, work));
  const reached = tried.filter(({ reached: was }) => was);
  const recovered = reached.filter(({ problems }) => problems.length === 0);
  if (reached.length < tried.length)
    console.log(`${tried.length - reached.length} points were not reached again, and killed nobody`);
  if (engines !== undefined) console.log(`two engines, 20 kills: ${engines.ok ? "nothing lost" : "FAILED"}`);
  console.log(`${reached.length} kill points tried, ${recovered.length} recovered`);
  const isGood =
    engines?.ok !== false &&
    recovered.length === reached.length &&
    (reached.length > 0 || engines !== undefined);
  process.exitCode = isGood && tried.every(({ problems }) => problems.length === 0) ? 0 : 1;
}

/** One of what the recovery changed, spread over all of it by the points' numbers. */
function chooseSecond({ recovery }: Tried, index: number): KillPoint | undefined {
  const changes = recovery.filter((point) => !isLook(point));
  return changes[(index * 7) % Math.max(1, changes.length)];
}

async function attempt(
  scenario: Scenario,
  point: KillPoint,
  name: string,
  again?: KillPoint,
): Promise<Tried> {
  try {
    return await tryKillPoint(lab, scenario, point, name, again);
  } catch (error) {
    return { reached: true, starts: 0, outcome: "unknown", problems: [String(error)], recovery: [] };
  }
}

function describeTried(
  { name }: Scenario,
  point: string,
  { reached, starts, outcome, problems }: Tried,
): string {
  const verdict = !reached ? "not reached" : problems.length === 0 ? "recovered" : "FAILED";
  const row = [name.padEnd(8), point.padEnd(62), `${starts} starts`, outcome.padEnd(10), verdict];
  return [row.join("  "), ...problems.map((problem) => `    ${problem}`)].join("\n");
}
