import net from 'node:net';

/** Stands between a client and a server, and may cut what goes through it. */
export interface CuttableProxy extends AsyncDisposable {
  /** Connections that go through it, in the order in which they were made. */
  readonly connections: readonly net.Socket[];
  /** Breaks every connection, as when a server is killed. */
  cut(): void;
  /** Sends later connections to another server's socket. */
  target: string;
}

/** Listens on the Unix socket `path`, and hands on what comes to the one at `target`. */
export async function cuttableProxy(path: string, target: string): Promise<CuttableProxy> {
  const connections: net.Socket[] = [];
  const all = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect(proxy.target);
    connections.push(client);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      all.add(from);
      from.on('data', (chunk) => to.write(chunk));
      from.on('error', () => undefined);
      from.on('close', () => {
        all.delete(from);
        to.destroy();
      });
    }
  });
  const proxy: CuttableProxy = {
    connections,
    target,
    cut() {
      for (const socket of all) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      proxy.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return proxy;
}
