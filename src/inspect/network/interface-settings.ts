/** How an interface of a guest gets its addresses, as its settings have it. */
export interface InterfaceSettings {
  /** What it is called, or a pattern of that, or its hardware address. */
  readonly name: string;
  readonly usesDhcp: boolean;
  /** `192.0.2.1/24`. */
  readonly addresses: readonly string[];
  readonly gateways: readonly string[];
}
