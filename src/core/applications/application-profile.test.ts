import { describe, expect, test } from "vitest";
import { compilePatterns } from "../files/filter.ts";
import { generatedFilePatterns, type ApplicationName } from "./application-profile.ts";
import { applicationProfiles } from "./application-profiles.ts";

const matcher = (name: ApplicationName, url: string) =>
  compilePatterns(generatedFilePatterns(applicationProfiles[name], url));

describe("generated files", () => {
  test("of Liferay are previews, thumbnails, caches and adaptive images, wherever the source begins", () => {
    for (const [url, prefix] of [
      ["file:///srv/liferay/data/document_library", ""],
      ["file:///srv/liferay/data", "document_library/"],
    ] as const) {
      const generated = matcher("liferay", url);
      expect(generated(`${prefix}20097/thumbnails/1.jpg`)).toBe(true);
      expect(generated(`${prefix}20097/0/document_preview/20121/31/x.png`)).toBe(true);
      expect(generated(`${prefix}20097/0/adaptive/uuid/1/2/3/4/image`)).toBe(true);
      expect(generated(`${prefix}20097/20121/101/1.0`)).toBe(false);
      expect(generated(`${prefix}20097/20121/adaptive/1.0`)).toBe(false);
    }
  });

  test("are the same in a bucket, whose URL goes on after its prefix", () => {
    const inStore = matcher("drupal", "s3://site/sites/default/files?endpoint=http://host/a");
    expect(inStore("css/a.css")).toBe(true);
    const inBucket = matcher("drupal", "s3://site?endpoint=http://host");
    expect(inBucket("css/a.css")).toBe(false);
    expect(inBucket("sites/default/files/css/a.css")).toBe(true);
  });

  test("of Drupal are tied to a site's files folder", () => {
    const fromRoot = matcher("drupal", "file:///var/www/html");
    expect(fromRoot("web/sites/default/files/css/a.css")).toBe(true);
    expect(fromRoot("sites/default/files/styles/large/x.jpg")).toBe(true);
    expect(fromRoot("themes/mine/css/a.css")).toBe(false);
    expect(fromRoot("sites/default/files/2025-01/css/a.css")).toBe(false);
    const fromFiles = matcher("drupal", "file:///var/www/html/sites/default/files/");
    expect(fromFiles("css/a.css")).toBe(true);
    expect(fromFiles("2025-01/css/a.css")).toBe(false);
  });

  test("of Bloomreach are the search indexes", () => {
    const generated = matcher("bloomreach", "file:///opt/brxm/repository");
    expect(generated("workspaces/default/index/_1/x.cfs")).toBe(true);
    expect(generated("workspaces/default/other")).toBe(false);
  });
});
