import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KeyPair, makeAuthority, makeCertificate, makeSigningKey } from '../kube/certificates.ts';
import type { ControlPlane } from '../kube/control-plane.ts';
import { writeKubeconfig } from '../kube/kubeconfig.ts';
import { IMAGES } from './layers.ts';
import type { Space } from './space.ts';

/** What the programs of a node need: certificates and kubeconfigs. */
export interface NodeFiles extends ControlPlane {
  readonly nodePair: KeyPair;
  readonly proxyPair: KeyPair;
  /** Paths of kubeconfigs. */
  readonly users: Readonly<Record<'controllerManager' | 'scheduler' | 'kubelet' | 'kubeProxy', string>>;
}

const CNI_PROGRAMS = '/usr/lib/cni';

/** Makes the certificates and kubeconfigs of a node in its folder. */
export async function makeNodeFiles(space: Space): Promise<NodeFiles> {
  const { folder, name, address, services, hostAddress } = space;
  const url = `https://${address}:6443`;
  const authority = await makeAuthority(folder, 'ca');
  const proxyAuthority = await makeAuthority(folder, 'proxy-ca');
  await makeSigningKey(folder, 'service-accounts');
  const certificate = (file: string, commonName: string, organisations: readonly string[] = []) =>
    makeCertificate(folder, file, { authority, use: 'client', commonName, organisations });
  const service = services.replace('.0/24', '.1');
  const inCluster = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local'].map(host => `DNS:${host}`);
  // Of this machine too, for a proxy that stands there.
  const names = [`IP:${address}`, `IP:${service}`, 'IP:127.0.0.1', `IP:${hostAddress}`, 'DNS:localhost', ...inCluster];
  const serverPair = await makeCertificate(folder, 'server', { authority, use: 'server', commonName: 'kube-apiserver', names });
  const adminPair = await certificate('admin', 'admin', ['system:masters']);
  const proxyPair = await makeCertificate(folder, 'front-proxy', { authority: proxyAuthority, use: 'client', commonName: 'front-proxy' });
  const node = { commonName: `system:node:${name}`, organisations: ['system:nodes'], names: [`IP:${address}`, `DNS:${name}`] };
  const nodePair = await makeCertificate(folder, 'node', { authority, use: 'both', ...node });
  const server = { url, caFile: authority.certFile };
  const kubeconfig = (file: string, pair: KeyPair) => writeKubeconfig(join(folder, `${file}.kubeconfig`), server, { certificate: pair });
  const users = {
    controllerManager: kubeconfig('controller-manager', await certificate('controller-manager', 'system:kube-controller-manager')),
    scheduler: kubeconfig('scheduler', await certificate('scheduler', 'system:kube-scheduler')),
    kubelet: kubeconfig('node', nodePair),
    kubeProxy: kubeconfig('kube-proxy', await certificate('kube-proxy', 'system:kube-proxy')),
  };
  const adminKubeconfig = kubeconfig('admin', adminPair);
  return { ...server, folder, authority, proxyAuthority, serverPair, adminPair, adminKubeconfig, nodePair, proxyPair, users };
}

/** Flags of the API server beside those every control plane has. */
export function nodeApiServerFlags(files: NodeFiles, space: Space): string[] {
  return [
    `--kubelet-client-certificate=${files.adminPair.certFile}`,
    `--kubelet-client-key=${files.adminPair.keyFile}`,
    `--kubelet-certificate-authority=${files.authority.certFile}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--proxy-client-cert-file=${files.proxyPair.certFile}`,
    `--proxy-client-key-file=${files.proxyPair.keyFile}`,
    '--enable-admission-plugins=NodeRestriction',
    `--advertise-address=${space.address}`,
  ];
}

/** Flags of the controller manager beside those every control plane has. */
export function nodeControllerFlags({ folder, authority, users }: NodeFiles): string[] {
  return [
    `--authentication-kubeconfig=${users.controllerManager}`,
    `--authorization-kubeconfig=${users.controllerManager}`,
    '--use-service-account-credentials',
    `--service-account-private-key-file=${join(folder, 'service-accounts.key')}`,
    `--cluster-signing-cert-file=${authority.certFile}`,
    `--cluster-signing-key-file=${authority.keyFile}`,
    '--enable-hostpath-provisioner',
  ];
}

/** Where containerd listens, as a path. */
export function containerdSocket(folder: string): string {
  return join(folder, 'containerd.sock');
}

/** Writes containerd's configuration and that of the pod network. Returns the path of the first. */
export function writeContainerdConfig({ folder, name, pods }: Space): string {
  const networks = join(folder, 'cni');
  mkdirSync(networks, { recursive: true });
  const ipam = { type: 'host-local', dataDir: join(folder, 'ipam'), ranges: [[{ subnet: pods }]], routes: [{ dst: '0.0.0.0/0' }] };
  const bridge = { type: 'bridge', bridge: 'cni0', isGateway: true, ipMasq: false, hairpinMode: true, ipam };
  const plugins = [bridge, { type: 'portmap', capabilities: { portMappings: true } }];
  writeFileSync(join(networks, '10-bridge.conflist'), JSON.stringify({ cniVersion: '1.0.0', name, plugins }));
  const path = join(folder, 'containerd.toml');
  writeFileSync(
    path,
    `version = 2
root = "${join(folder, 'containerd')}"
state = "${join(folder, 'containerd-state')}"
[grpc]
  address = "${containerdSocket(folder)}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${join(folder, 'opt')}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGES.pause}"
  # Without CAP_SYS_RESOURCE a container's score cannot be set below our own.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${CNI_PROGRAMS}"
    conf_dir = "${networks}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
`,
  );
  return path;
}

/** Writes the kubelet's configuration and returns its path. */
export function writeKubeletConfig({ folder, name, address, dnsAddress }: Space, files: NodeFiles): string {
  // An empty one, or the machine's own servers and search list would enter the pods.
  const resolver = join(folder, 'resolv.conf');
  writeFileSync(resolver, '');
  const path = join(folder, 'kubelet.yaml');
  const config = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address,
    authentication: { anonymous: { enabled: false }, webhook: { enabled: true }, x509: { clientCAFile: files.authority.certFile } },
    authorization: { mode: 'Webhook' },
    tlsCertFile: files.nodePair.certFile,
    tlsPrivateKeyFile: files.nodePair.keyFile,
    containerRuntimeEndpoint: `unix://${containerdSocket(folder)}`,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${name}`,
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    clusterDomain: 'cluster.local',
    clusterDNS: [dnsAddress],
    resolvConf: resolver,
    healthzBindAddress: '127.0.0.1',
    // A full disk would otherwise delete images that nobody can bring back.
    imageGCHighThresholdPercent: 100,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '0%', 'nodefs.inodesFree': '0%', 'imagefs.available': '0%', 'imagefs.inodesFree': '0%' },
    podLogsDir: join(folder, 'pods'),
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}

/** Writes the configuration of kube-proxy and returns its path. */
export function writeProxyConfig({ folder, name, pods }: Space, files: NodeFiles): string {
  const path = join(folder, 'kube-proxy.yaml');
  const config = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    hostnameOverride: name,
    clientConnection: { kubeconfig: files.users.kubeProxy },
    clusterCIDR: pods,
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
    // By default what is ready can be reached only a second later.
    iptables: { minSyncPeriod: '100ms' },
    // The machine's own limits are left alone.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
  writeFileSync(path, JSON.stringify(config));
  return path;
}
