/**
 * REST, `/api/v1`: every shape that goes over the wire, once; a file a noun. The server checks requests by these
 * schemas, types come from them, and the OpenAPI document is made of them. Fields are those of §7 of the requirements,
 * and more. Here are the words that the shapes are said in.
 */
import { Type, type Static, type TSchema } from "typebox";

export const closed = { additionalProperties: false };
export const choice = <const T extends readonly string[]>(values: T, options: object = {}) =>
  Type.Unsafe<T[number]>({ type: "string", enum: [...values], ...options });
export const instant = (description: string) => Type.String({ format: "date-time", description });
export const text = (description: string, options: object = {}) => Type.String({ description, ...options });
export const names = (description: string) => Type.Array(Type.String(), { description, maxItems: 1000 });
/** A named shape, by its name. */
export const refer = <T extends TSchema>(schema: T) =>
  Type.Unsafe<Static<T>>({ $ref: `${"$id" in schema ? String(schema.$id) : ""}#` });
export const yes = (description: string) => Type.Boolean({ description });
export const whole = (description: string, options: object = {}) => Type.Integer({ description, ...options });
export const openObject = <T>(description: string) => Type.Unsafe<T>({ type: "object", description });
