import type { UpFrame } from '../../protocol/frames.js'
import type { Receiver } from './receiver.js'

/** What holds for the frames of one type. */
export interface FrameEntry<Frame extends UpFrame = UpFrame> {
  /** What bounds them: the window, or a rate, or what they acknowledge or answer. */
  readonly bound: 'window' | 'rate' | 'none'
  /** Whether they wait behind earlier frames while an answer of the store or of `authenticate` is awaited. */
  readonly waits: boolean
  /** What they do once the client is welcome; absent where the connection itself handles them. */
  handle?(receiver: Receiver, frame: Frame, bytes: number): void
}

export type FrameTable = { readonly [Type in UpFrame['t']]: FrameEntry<UpFrame & { t: Type }> }

/** Every frame that a client can send. */
export const FRAMES: FrameTable = {
  hello: { bound: 'none', waits: false },
  p: { bound: 'rate', waits: false },
  o: { bound: 'rate', waits: false },
  bye: { bound: 'none', waits: false },
  a: { bound: 'none', waits: false, handle: (receiver, { s }) => receiver.acknowledged(s) },
  r: { bound: 'none', waits: false, handle: (receiver, { id, d, error }) => receiver.answered(id, d, error) },
  m: { bound: 'window', waits: true, handle: (receiver, frame, bytes) => receiver.message(frame, bytes) },
  skip: { bound: 'rate', waits: true, handle: (receiver, { w, s }) => receiver.skip(w, s) },
  cancel: { bound: 'rate', waits: true, handle: (receiver, { w, s }) => receiver.cancel(w, s) },
  resume: { bound: 'rate', waits: true, handle: (receiver, { writers }) => receiver.resume(writers) },
  v: { bound: 'rate', waits: true, handle: (receiver, { e, d }) => receiver.volatile(e, d) },
  auth: { bound: 'rate', waits: true, handle: (receiver, { auth }) => receiver.authenticate(auth) },
}
