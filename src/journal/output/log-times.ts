const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
/** What a `Date` can be, in microseconds since 1970. */
const latest = 8.64e18;

/** A moment as logs show it; fields of the local time, or of UTC. */
export class LogTime {
  readonly #date: Date;
  readonly #microseconds: number;
  readonly #offsetMinutes: number;

  /** `realtime` in microseconds since 1970. */
  constructor(realtime: number, isUtc: boolean) {
    const bounded = Math.min(realtime, latest);
    const instant = new Date(Math.floor(bounded / 1000));
    this.#offsetMinutes = isUtc ? 0 : -instant.getTimezoneOffset();
    this.#date = new Date(Math.min(latest / 1000, instant.getTime() + this.#offsetMinutes * 60_000));
    this.#microseconds = bounded % 1_000_000;
  }

  /** `Nov 14 22:13:20`, as syslog has it. */
  get short(): string {
    return `${months[this.#date.getUTCMonth()]} ${two(this.#date.getUTCDate())} ${this.#clock}`;
  }

  /** `2023-11-14T22:13:20+0000` */
  get iso(): string {
    const size = Math.abs(this.#offsetMinutes);
    const offset = `${this.#offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
    return `${this.#day}T${this.#clock}${offset}`;
  }

  /** `Tue 2023-11-14 22:13:20.000000 UTC` */
  get verbose(): string {
    const fraction = String(this.#microseconds).padStart(6, '0');
    return `${days[this.#date.getUTCDay()]} ${this.#day} ${this.#clock}.${fraction} ${this.#zone}`;
  }

  get #day(): string {
    return `${this.#date.getUTCFullYear()}-${two(this.#date.getUTCMonth() + 1)}-${two(this.#date.getUTCDate())}`;
  }

  get #clock(): string {
    const date = this.#date;
    return [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  }

  get #zone(): string {
    if (this.#offsetMinutes === 0) return 'UTC';
    const size = Math.abs(this.#offsetMinutes);
    return `${this.#offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  }
}

function two(count: number): string {
  return String(count).padStart(2, '0');
}
