import { serve } from 'lanewise/worker'
import { train } from './training.ts'

serve(train)
