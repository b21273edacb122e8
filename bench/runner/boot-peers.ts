import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { interfaceName, type Lab, serverAddress } from '../../test/netboot/lab.ts';
import { startDnsmasq } from './dnsmasq.ts';
import { LabProgram } from './lab-program.ts';
import { run } from './program.ts';

/** What a machine is booted with by others, as `varve netboot` boots it. */
export interface PeerBoot {
  readonly mac: string;
  /** The script for iPXE, which says where kernel, initramfs and root are. */
  readonly script: string;
}

/** What peers serve. */
export interface PeerContent {
  readonly disk: string;
  /** The files of the disk. */
  readonly root: string;
  /** By path, as URIs have it. */
  readonly files: ReadonlyMap<string, string>;
  readonly boots: readonly PeerBoot[];
  /** A copy of the disk, by the name of the export of NBD. */
  readonly nbd: string;
  /** Copies of the disk, by target. */
  readonly iscsi: readonly string[];
}

const control = 1;

/** dnsmasq, nginx, nbd-server, tgt and nfs-ganesha, which boot machines of a lab. Disposing ends them. */
export class BootPeers implements AsyncDisposable {
  readonly #resources = new AsyncDisposableStack();
  readonly #lab: Lab;
  readonly #content: PeerContent;
  readonly #directory: string;

  private constructor(lab: Lab, content: PeerContent) {
    this.#lab = lab;
    this.#content = content;
    this.#directory = join(lab.directory, 'peers');
  }

  static async start(lab: Lab, content: PeerContent): Promise<BootPeers> {
    const peers = new BootPeers(lab, content);
    try {
      mkdirSync(peers.#directory);
      peers.freshDisks();
      await peers.#startDhcp();
      await peers.#startHttp();
      await peers.#startNbd();
      await peers.#startIscsi();
      await peers.#startNfs();
      return peers;
    } catch (error) {
      await peers[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Puts disks as they were in the places of those that machines have written to. */
  freshDisks(): void {
    const { disk, iscsi, nbd } = this.#content;
    for (const name of [nbd, ...iscsi]) copyFileSync(disk, this.#diskOf(name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]();
  }

  async #startDhcp(): Promise<void> {
    const boots = this.#content.boots.flatMap(({ mac }, index) => [
      `--dhcp-host=${mac},set:boot${index}`,
      `--dhcp-boot=tag:boot${index},http://${serverAddress}/${index}.ipxe`,
    ]);
    const leases = `--dhcp-leasefile=${join(this.#directory, 'leases')}`;
    this.#resources.use(
      await startDnsmasq(this.#lab, '--dhcp-range=10.9.0.100,10.9.0.200,255.255.255.0', leases, ...boots),
    );
  }

  async #startHttp(): Promise<void> {
    const root = join(this.#directory, 'www');
    mkdirSync(root);
    for (const [name, path] of this.#content.files) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      copyFileSync(path, join(root, name));
    }
    for (const [index, { script }] of this.#content.boots.entries()) writeFileSync(join(root, `${index}.ipxe`), script);
    const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${this.#directory}/tmp;`,
    );
    const config = this.#write(
      'nginx.conf',
      `daemon off; master_process off; user root; pid ${this.#directory}/nginx.pid; error_log ${this.#directory}/nginx.log;
       events {} http { access_log off; sendfile on; tcp_nopush on; ${paths.join(' ')}
       server { listen ${serverAddress}:80; root ${root}; } }`,
    );
    await this.#start(['nginx', '-c', config, '-p', this.#directory], 80);
  }

  async #startNbd(): Promise<void> {
    const name = this.#content.nbd;
    const lines = ['[generic]', `listenaddr = ${serverAddress}`, `[${name}]`, `exportname = ${this.#diskOf(name)}`, ''];
    const config = this.#write('nbd.conf', lines.join('\n'));
    await this.#start(contained(`nbd-server -C ${config}`), 10_809);
  }

  async #startIscsi(): Promise<void> {
    const manage = (words: string): string => `tgtadm -C ${control} --lld iscsi ${words}`;
    const targets = this.#content.iscsi.flatMap((name, index) => [
      manage(`--op new --mode target --tid ${index + 1} -T ${name}`),
      manage(`--op new --mode logicalunit --tid ${index + 1} --lun 1 -b ${this.#diskOf(name)}`),
      manage(`--op bind --mode target --tid ${index + 1} -I ALL`),
    ]);
    const server = `tgtd -f -C ${control} --iscsi portal=${serverAddress}:3260 &`;
    const untilIt = `until ${manage('--op show --mode target')} > /dev/null 2>&1; do sleep 0.1; done`;
    const program = this.#resources.use(
      new LabProgram(this.#lab, contained([server, untilIt, ...targets, 'echo "targets are there"'].join('\n'))),
    );
    await program.untilPrinted(/targets are there/);
  }

  async #startNfs(): Promise<void> {
    const config = this.#write(
      'ganesha.conf',
      `NFS_CORE_PARAM { Protocols = 3; Enable_NLM = false; Enable_RQUOTA = false; }
       EXPORT { Export_Id = 1; Path = ${this.#content.root}; Pseudo = /root; Access_Type = RO; Squash = No_Root_Squash;
         SecType = sys; Protocols = 3; Transports = TCP, UDP; FSAL { Name = VFS; } }`,
    );
    const server = `mkdir /run/ganesha && rpcbind -w && ganesha.nfsd -f ${config} -p /run/ganesha.pid -L ${this.#directory}/ganesha.log`;
    const program = await this.#start(contained(server), 2049);
    const isRegistered = (): boolean => {
      const command = this.#lab.inside('rpcinfo', '-T', 'tcp', serverAddress, 'mountd', '3');
      try {
        run(command);
        return true;
      } catch {
        return false;
      }
    };
    await program.until(isRegistered, 'tell the port of its mounts');
  }

  async #start(command: readonly string[], port: number): Promise<LabProgram> {
    const program = this.#resources.use(new LabProgram(this.#lab, command));
    const socket = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} \\w+:0000 0A `);
    const list = this.#lab.inside('cat', '/proc/net/tcp', '/proc/net/tcp6');
    await program.until(() => socket.test(run(list).stdout), `listen at port ${port} of ${interfaceName}`);
    return program;
  }

  #diskOf(name: string): string {
    return join(this.#directory, `${name.replaceAll(':', '-')}.raw`);
  }

  #write(name: string, text: string): string {
    const path = join(this.#directory, name);
    writeFileSync(path, text);
    return path;
  }
}

/** Runs lines of shell and waits: all that they start goes when it goes, and keeps what it has in /run for itself. */
function contained(lines: string): string[] {
  const script = `set -e\nmount -t tmpfs tmpfs /run\n${lines}\nsleep infinity`;
  return ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script];
}
