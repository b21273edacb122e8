/** What DHCP has told of a machine. */
export interface SeenMachine {
  /** The address that it was given, or told to keep. */
  readonly address?: string | undefined;
  /** What its firmware says that it is. */
  readonly uuid?: string | undefined;
}

/** Whoever is forgotten is known again when it asks DHCP. */
const mostMachines = 20_000;

/** What DHCP has told of machines, by their MAC addresses: what they ask for later names them by those alone. */
export class SeenMachines {
  readonly #machines = new Map<string, SeenMachine>();

  /** Nothing is known where it was not heard of. */
  get(mac: string): SeenMachine {
    return this.#machines.get(mac) ?? {};
  }

  /** Adds what was heard of a machine to what is known already. */
  note(mac: string, { address, uuid }: SeenMachine): void {
    const before = this.get(mac);
    this.#machines.delete(mac);
    this.#machines.set(mac, { address: address ?? before.address, uuid: uuid ?? before.uuid });
    if (this.#machines.size > mostMachines) this.#machines.delete(this.#machines.keys().next().value!);
  }
}
