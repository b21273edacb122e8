/** What stands for the names in a template. */
export interface TemplateValues {
  readonly machine: {
    readonly name: string;
    /** `52:54:00:12:34:56` */
    readonly mac: string;
    /** `10.9.0.20`; undefined as long as it has none. */
    readonly address: string | undefined;
    readonly uuid: string | undefined;
  };
  readonly server: {
    /** `10.9.0.1` */
    readonly address: string;
    /** `http://10.9.0.1`, without a `/` at its end. */
    readonly url: string;
  };
  readonly variables: Readonly<Record<string, string>>;
  /** By name, the absolute path of the file that holds each; the end of its last line does not count. */
  readonly secrets: Readonly<Record<string, string>>;
}
