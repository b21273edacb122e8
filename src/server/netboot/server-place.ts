/** Which ports are listened on. */
export interface NetbootPorts {
  readonly dhcpServer: number;
  /** Of DHCP clients. */
  readonly dhcpClient: number;
  readonly tftp: number;
  readonly http: number;
  readonly https: number;
  readonly nbd: number;
  readonly iscsi: number;
  readonly nfs: number;
  /** Where clients of NFS ask for its ports. */
  readonly portMap: number;
}

/** What clients expect. */
export const usualPorts: NetbootPorts = {
  ...{
    dhcpServer: 67,
    dhcpClient: 68,
    tftp: 69,
    http: 80,
    https: 443,
    nbd: 10_809,
    iscsi: 3260,
    nfs: 2049,
    portMap: 111,
  },
};

/** Where machines that are on one of our interfaces find us. */
export interface ServerPlace {
  readonly interfaceName: string;
  /** `10.9.0.1` */
  readonly address: string;
  /** How many bits of it are the network's. */
  readonly prefix: number;
  /** Of the interface: `52:54:00:12:34:56`. */
  readonly hardwareAddress: string;
  readonly ports: NetbootPorts;
}

/** How URIs on a place begin: `http://10.9.0.1:8080`, without `/` at the end. */
export function httpOf({ address, ports }: ServerPlace): string {
  return `http://${address}${ports.http === usualPorts.http ? '' : `:${ports.http}`}`;
}
