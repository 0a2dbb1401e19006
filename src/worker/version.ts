import lc2Package from "../../package.json" with { type: "json" };

/** The version of this software, as written into every backup. */
export const softwareVersion: string = lc2Package.version;
