import type { ApplicationName, ApplicationProfile } from "./application-profile.ts";
import { bloomreach } from "./bloomreach.ts";
import { drupal } from "./drupal.ts";
import { liferay } from "./liferay.ts";

export const applicationProfiles: Readonly<Record<ApplicationName, ApplicationProfile>> = {
  liferay,
  drupal,
  bloomreach,
};
