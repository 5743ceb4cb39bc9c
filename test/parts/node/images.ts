import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A container image to be made from folders. */
export interface ImageSpec {
  /** With its tag, never `latest` (which is always pulled): `localhost/pause:1`. */
  readonly name: string;
  /** Each becomes a layer, the first at the bottom. */
  readonly layers: readonly string[];
  readonly config: {
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[];
    readonly Env?: readonly string[];
    readonly User?: string;
    readonly WorkingDir?: string;
  };
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const OCI = 'application/vnd.oci.image';
const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;

/**
 * Packs folders as an OCI image in a tar archive, which containerd imports, and returns its path. No container engine is needed; files belong to
 * root and everybody may read them, and the same content gives the same digests.
 */
export async function writeImage(target: string, { name, layers, config }: ImageSpec): Promise<string> {
  const work = mkdtempSync(`${target}.`);
  const blobs = join(work, 'blobs', 'sha256');
  mkdirSync(blobs, { recursive: true });
  try {
    const packed: Descriptor[] = [];
    for (const folder of layers) packed.push(await addLayer(blobs, folder));
    const rootfs = { type: 'layers', diff_ids: packed.map(layer => layer.digest) };
    const configured = await addJson(blobs, `${OCI}.config.v1+json`, { architecture: ARCHITECTURE, os: 'linux', config, rootfs });
    const manifest = await addJson(blobs, `${OCI}.manifest.v1+json`, {
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: configured,
      layers: packed,
    });
    const entry = { ...manifest, annotations: { 'io.containerd.image.name': name }, platform: { architecture: ARCHITECTURE, os: 'linux' } };
    writeFileSync(join(work, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    writeFileSync(join(work, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    await run('tar', ['-C', work, '-cf', join(work, 'image.tar'), 'oci-layout', 'index.json', 'blobs']);
    renameSync(join(work, 'image.tar'), target);
    return target;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function addLayer(blobs: string, folder: string): Promise<Descriptor> {
  const file = join(blobs, 'layer');
  await run('tar', ['-C', folder, '--sort=name', '--numeric-owner', '--owner=0', '--group=0', '--mtime=@0', '--mode=a+rX', '-cf', file, '.']);
  return addBlob(blobs, `${OCI}.layer.v1.tar`, file);
}

function addJson(blobs: string, mediaType: string, content: unknown): Promise<Descriptor> {
  const file = join(blobs, 'json');
  writeFileSync(file, JSON.stringify(content));
  return addBlob(blobs, mediaType, file);
}

async function addBlob(blobs: string, mediaType: string, file: string): Promise<Descriptor> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const hex = hash.digest('hex');
  const size = statSync(file).size;
  renameSync(file, join(blobs, basename(hex)));
  return { mediaType, digest: `sha256:${hex}`, size };
}
