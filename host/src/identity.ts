/** Who a gateway is: its key pair and the incarnation of its state. */
export interface Identity {
  /** Raw Ed25519 public key, 32 bytes. */
  readonly publicKey: Buffer;
  /** 16 random bytes, made with the state: a gateway that lost its state has a new one. */
  readonly incarnation: Buffer;
  /** Ed25519 signature, 64 bytes. */
  sign(bytes: Uint8Array): Buffer;
}

export async function openIdentity(_directory: string, _options: { newIncarnation?: boolean } = {}): Promise<Identity> {
  throw new Error('follows');
}
