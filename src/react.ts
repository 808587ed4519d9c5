/** The door `holdfast/react`: re-exports only. */
export { useConnection, useEvent, usePending } from './react/hooks.js'
