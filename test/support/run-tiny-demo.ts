/** The demo with little data, for tests; `keep` as the first argument keeps it up. */
import { runDemo } from "../../demo/run-demo.ts";

process.exitCode = await runDemo({ keep: process.argv[2] === "keep", size: "tiny" });
