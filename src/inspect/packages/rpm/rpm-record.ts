/** A record of rpm's database. */
export interface RpmRecord {
  /** As `rpm -qa --qf '%{DBINSTANCE}'` shows it. */
  readonly number: number;
  /** The header's bytes. @throws VarveError `CORRUPT`, and the records after it can still be read */
  read(): Uint8Array;
}
