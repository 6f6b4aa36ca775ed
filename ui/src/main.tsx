// Where the page begins. With a recording inside it, it is a shared file and needs no server.
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { App } from './App.tsx';
import { sharedRecording } from './state/shared.ts';
import './style.css';
import './advisor.css';

const root = document.getElementById('root');
if (!root) throw new Error('the page has no root');
createRoot(root).render(
  <StrictMode>
    <App shared={sharedRecording(document)} />
  </StrictMode>,
);
