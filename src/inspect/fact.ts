/** Where in a guest a fact stands. */
export interface FactSource {
  /** The file, as it is called without symlinks. */
  readonly path: string;
  /** The record in it, where it has several: `line 12`, `header 7`. */
  readonly record?: string | undefined;
}

/** Something that is known of a guest, and from where. */
export interface Fact<Value> {
  readonly value: Value;
  readonly source: FactSource;
}

/** Something that could not be found out. */
export interface InspectionWarning {
  /** The file that it would have stood in. */
  readonly path: string;
  readonly message: string;
}

/** Takes what could not be found out; the rest goes on. */
export type Warn = (warning: InspectionWarning) => void;

/** For those who do not want to know. */
export const noWarnings: Warn = () => {};
