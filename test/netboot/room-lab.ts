import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GuestKernel } from '../guest/guest-kernel.ts';
import { runVarve, varveProgram } from '../guest/run-varve.ts';
import { endNow, interfaceName, Lab } from './lab.ts';
import { makeRoomDisk } from './room-disk.ts';

/** What a room file begins with. Addresses are those of `Lab`; nothing is waited for in menus. */
const roomHead = `interfaces: [${interfaceName}]
dhcp: server
networks:
  - { network: 10.9.0.0/24, range: 10.9.0.100-10.9.0.200 }
`;

/** A lab with a store, in which the disk of `makeRoomDisk` is the image `web`, and `varve netboot`. Disposing ends all. */
export class RoomLab implements AsyncDisposable {
  readonly lab = new Lab();
  readonly store = join(this.lab.directory, 'store');
  /** What the server has said. */
  printed = '';
  #server: ChildProcess | undefined;
  readonly #roomPath = join(this.lab.directory, 'room.yaml');

  /** `kernel` undefined makes no image. */
  static async open(kernel?: GuestKernel): Promise<RoomLab> {
    const room = new RoomLab();
    if (kernel === undefined) return room;
    try {
      const disk = await makeRoomDisk(room.lab.directory, kernel);
      await room.varve('import', disk, 'web');
      return room;
    } catch (error) {
      await room[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Writes a file beside the room file, and gives its path. */
  write(name: string, content: string | Uint8Array): string {
    const path = join(this.lab.directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }

  /** Serves a room, whose file is `text` behind the usual beginning, or `text` alone if that says `dhcp`. */
  async serve(text: string): Promise<void> {
    this.write('room.yaml', /^dhcp:/m.test(text) ? `interfaces: [${interfaceName}]\n${text}` : roomHead + text);
    await this.serveAgain();
  }

  /** Serves the same room. */
  async serveAgain(): Promise<void> {
    const command = [varveProgram, 'netboot', '--config', this.#roomPath];
    const env = { ...process.env, VARVE_STORE: this.store };
    const server = this.lab.start(command, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#server = server;
    const output = [server.stdout!, server.stderr!].map((input) => createInterface({ input }));
    await new Promise<void>((resolve, reject) => {
      for (const lines of output) {
        lines.on('line', (line) => {
          this.printed += `${line}\n`;
          if (line.includes(interfaceName) && /serv|http:/.test(line)) resolve();
        });
      }
      server.once('exit', (status) => reject(new Error(`varve netboot ended with ${status}:\n${this.printed}`)));
    });
  }

  /** Ends the server as it cannot hear it coming. */
  async kill(): Promise<void> {
    if (this.#server !== undefined) await endNow(this.#server);
  }

  /** Ends the server. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, 'exit');
    server.kill('SIGTERM');
    await ended;
  }

  /** Runs `varve ARGS` with the store. @throws Error where it fails */
  varve(...args: readonly string[]): Promise<string> {
    return runVarve(this.store, ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.lab[Symbol.asyncDispose]();
  }
}
