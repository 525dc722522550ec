// The certificates that a bench can be run with. Apart from their making, which loads much.

export const CERTIFICATE_KINDS = ['ecdsa', 'rsa'] as const;
export type CertificateKind = (typeof CERTIFICATE_KINDS)[number];
